"""Tensors that are made once for each set of arguments."""

from collections.abc import Callable, Iterator
from functools import lru_cache, wraps
from typing import Any, TypeVar

import torch
from torch import Tensor

T = TypeVar("T")


def kept(most: int) -> Callable[[Callable[..., T]], Callable[..., T]]:
    """Keep what a function makes, tensors or tuples of them, for so many arguments.

    What it makes while torch traces a program (`torch.export`, fake tensors) belongs to that program: it is passed on,
    never kept. What is kept in inference mode serves training too.
    """

    def keeping(make: Callable[..., T]) -> Callable[..., T]:
        make = torch.inference_mode(False)(make)

        @lru_cache(maxsize=most)
        def made(*arguments: Any) -> T:
            result = make(*arguments)
            if any(type(each) is not Tensor for each in _tensors(result)):
                raise _Passed(result)  # an error is not kept
            return result

        @wraps(make)
        def call(*arguments: Any) -> T:
            try:
                return made(*arguments)
            except _Passed as passed:
                result: T = passed.result
                return result

        return call

    return keeping


class _Passed(Exception):  # noqa: N818 (no error)
    def __init__(self, result: Any) -> None:
        super().__init__()
        self.result = result


def _tensors(result: Any) -> Iterator[Any]:
    if isinstance(result, tuple):
        for part in result:
            yield from _tensors(part)
    else:
        yield result
