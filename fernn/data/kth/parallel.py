"""Work on many items in several processes, with the results in the order of the items."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from fernn.errors import FernnError

Item = TypeVar("Item")
Result = TypeVar("Result")


def cores() -> int:
    """The number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def in_order(function: Callable[[Item], Result], items: Sequence[Item], workers: int | None = None) -> Iterator[Result]:
    """`function` of each item, in their order, computed by `workers` processes (all cores if None; 1: none but this).

    A script of its own needs the usual `if __name__ == "__main__":`, since new processes import it.

    Raises:
        FernnError: if a process was killed. What `function` raises is raised here.
    """
    workers = min(workers or cores(), len(items))
    if workers <= 1:
        yield from map(function, items)
        return
    # spawn: a fork of a process that has threads (torch's, say) may hang
    pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), initializer=_start)
    try:
        yield from pool.map(function, items)
    except BrokenProcessPool as error:
        raise FernnError(
            f"one of {workers} worker processes was killed: out of memory? Try fewer processes or ask for more memory"
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _start() -> None:
    """Begin a worker: an interrupt from the keyboard is its parent's to handle, and it ends when its parent does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_follow, daemon=True).start()


def _follow() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)  # a pool whose owner was killed would wait for work for ever
