"""Whole numbers, of Python or of another library."""

import operator
from typing import Any

from fernn.errors import FernnError


def whole(number: Any) -> int | None:
    """A whole number, of NumPy say, as one of Python; None for anything else, such as 2.0 and True."""
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
