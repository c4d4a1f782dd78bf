"""What both flows need: whole numbers, and index tensors that are made once."""

import operator
from collections.abc import Callable, Iterator
from functools import lru_cache, wraps
from typing import Any, TypeVar

import torch
from torch import Tensor

from fernn.errors import FernnError

T = TypeVar("T")


def whole(number: Any) -> int | None:
    """A whole number, such as NumPy's, as an int of Python; None for anything else, such as 2.0 and True."""
    if isinstance(number, bool):
        return None
    try:
        return operator.index(number)
    except TypeError:
        return None


def check_time(time: Any) -> None:
    """Refuse a time that is not a whole number of frames.

    Raises:
        FernnError: if it is not.
    """
    if whole(time) is None:
        raise FernnError(f"move(time={time!r}): time counts frames, a whole number; a negative one moves backwards.")


def kept(most: int) -> Callable[[Callable[..., T]], Callable[..., T]]:
    """Cache the tensors, or tuples of them, that a function makes, for the `most` latest arguments.

    Tensors made while torch traces a program (`torch.export`, fake tensors) belong to that program: they are returned
    and not cached. Tensors made in inference mode are ordinary ones, so that training can use them, too.
    """

    def keeping(make: Callable[..., T]) -> Callable[..., T]:
        make = torch.inference_mode(False)(make)

        @lru_cache(maxsize=most)
        def made(*arguments: Any) -> T:
            result = make(*arguments)
            if any(type(each) is not Tensor for each in _tensors(result)):
                raise _Traced(result)  # lru_cache does not cache errors
            return result

        @wraps(make)
        def call(*arguments: Any) -> T:
            try:
                return made(*arguments)
            except _Traced as traced:
                result: T = traced.args[0]
                return result

        return call

    return keeping


class _Traced(Exception):  # noqa: N818 (no error)
    """Carries a result around the cache."""


def _tensors(result: Any) -> Iterator[Any]:
    if isinstance(result, tuple):
        for part in result:
            yield from _tensors(part)
    else:
        yield result
