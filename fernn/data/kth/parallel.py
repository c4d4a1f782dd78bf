"""Videos processed by several threads: FFmpeg and numpy release Python's lock while they compute."""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def cores() -> int:
    """The number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def in_order(function: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[Result]:
    """`function` of each item, in their order, computed on all cores; the first exception is raised here."""
    pool = ThreadPoolExecutor(cores())
    try:
        yield from pool.map(function, items)
    finally:
        pool.shutdown(cancel_futures=True)
