"""Pixels in few bytes: images of uint8 are mostly flat, and their files are kept and sent around."""

import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

PACKED = "packed"  # in the record of a file: the shapes of its packed arrays, by name


def pack(
    arrays: Mapping[str, NDArray], about: Mapping[str, Any], names: tuple[str, ...]
) -> tuple[dict[str, NDArray], dict[str, Any]]:
    """Deflate the named arrays of uint8; the record then says what shape each had.

    Raises:
        TypeError: if one of them is of another type.
    """
    packed = dict(arrays)
    for name in names:
        if arrays[name].dtype != np.uint8:
            raise TypeError(f"{name}: only uint8 is packed, this is {arrays[name].dtype}")
        packed[name] = np.frombuffer(zlib.compress(arrays[name].tobytes()), np.uint8)
    return packed, {**about, PACKED: {name: list(arrays[name].shape) for name in names}} if names else dict(about)


def unpack(arrays: Mapping[str, NDArray], about: Mapping[str, Any]) -> tuple[dict[str, NDArray], dict[str, Any]]:
    """The arrays and the record as they were given to `pack`.

    Raises:
        ValueError: if a packed array is damaged.
    """
    found, shapes = dict(arrays), about.get(PACKED, {})
    for name, shape in shapes.items():
        try:
            content = zlib.decompress(arrays[name].tobytes())
        except (KeyError, zlib.error) as error:
            raise ValueError(f"the packed array {name} is damaged: {error}") from None
        found[name] = np.frombuffer(bytearray(content), np.uint8).reshape(shape)
    return found, {key: value for key, value in about.items() if key != PACKED}
