"""Named arrays in one safetensors file, with the metadata that a reader needs in its header.

The header has one entry of metadata: plain values, as JSON under the key `fernn`. The record next to the file says how
it was made (`fernn.provenance.records`). Arrays of uint8 can be deflated: images are mostly flat.
"""

import json
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from fernn.errors import FernnError
from fernn.files import atomic

if TYPE_CHECKING:
    import torch
    from torch import Tensor

KEY = "fernn"  # a single key: the format writes several in an order that changes from run to run
PACKED = "packed"  # in the header: the shapes of the deflated arrays, by name


def write_arrays(
    path: str | Path,
    arrays: "Mapping[str, NDArray | Tensor]",
    about: Mapping[str, Any],
    packed: tuple[str, ...] = (),
) -> None:
    """Write named arrays to `path` atomically; the same content gives the same bytes.

    Args:
        path: the file.
        arrays: by name; NumPy arrays, or tensors on the CPU.
        about: metadata, plain values.
        packed: names of the uint8 arrays to deflate.

    Raises:
        FernnError: if the file cannot be written.
        TypeError: if an array to deflate is not of uint8, or `about` cannot be written as JSON.
    """
    # copies only what is not contiguous
    stored = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    head = {**about, PACKED: {name: stored[name].shape for name in packed}} if packed else about
    for name in packed:
        if stored[name].dtype != np.uint8:
            raise TypeError(f"{name}: only uint8 is packed, this is {stored[name].dtype}")
        stored[name] = np.frombuffer(zlib.compress(stored[name].data), np.uint8)
    content = save(stored, {KEY: json.dumps(head, sort_keys=True)})
    try:
        with atomic(path) as temporary:
            temporary.write_bytes(content)
    except OSError as error:
        raise FernnError(f"cannot write {path}: {error}. Make room, or choose a folder you may write to") from error


def read_arrays(path: str | Path) -> "tuple[dict[str, Tensor], dict[str, Any]]":
    """Read the arrays and the metadata that `write_arrays` wrote.

    Raises:
        FernnError: if the file is missing, corrupt or of another kind.
    """
    import torch  # here, because writing arrays and reading a header do not need it

    try:
        with _opened(path) as (file, about):
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
        for name, shape in about.pop(PACKED, {}).items():
            arrays[name] = _inflated(name, arrays.get(name), shape)
    except FileNotFoundError:
        raise FernnError(
            f"{path}: no such file. `snakemake --cores all --config scale=SCALE` makes it, with the name of your scale."
        ) from None
    except ValueError as error:
        raise FernnError(f"{path}: broken or of another kind ({error}). Remove it and rebuild it.") from None
    return {name: torch.from_numpy(array) for name, array in arrays.items()}, about


def read_about(path: str | Path) -> dict[str, Any]:
    """Read the metadata of a file, from its header alone.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if the file is corrupt or of another kind.
    """
    with _opened(path) as (_, about):
        about.pop(PACKED, None)
        return about


class Aligned:
    """Base of dataclasses whose fields are tensors with one entry per item."""

    def __len__(self) -> int:
        return len(next(iter(vars(self).values())))

    def __getitem__(self, part: "slice | Tensor") -> Self:
        return self._each(lambda entries: entries[part])

    def to(self, device: "torch.device | str") -> Self:
        """The same items on a device."""
        return self._each(lambda entries: entries.to(device))

    def write(self, path: str | Path) -> None:
        """Write the tensors to a file, one array per field."""
        write_arrays(path, vars(self), {})

    @classmethod
    def read(cls, path: str | Path) -> Self:
        """Read what `write` wrote.

        Raises:
            FernnError: if the file is missing or of another kind.
        """
        arrays, expected = read_arrays(path)[0], [field.name for field in fields(cls)]  # type: ignore[arg-type]
        if arrays.keys() != {*expected}:
            raise FernnError(
                f"{path}: holds {', '.join(sorted(arrays))}; {cls.__name__.lower()} are {', '.join(expected)}."
            )
        return cls(**arrays)

    def _each(self, change: "Callable[[Tensor], Tensor]") -> Self:
        return type(self)(*map(change, vars(self).values()))


@contextmanager
def _opened(path: str | Path) -> Iterator[tuple[Any, dict[str, Any]]]:
    """The open file and its metadata."""
    try:
        with safe_open(str(path), "numpy") as file:
            head = json.loads((file.metadata() or {}).get(KEY, "null"))
            if not isinstance(head, dict):
                raise ValueError(f"nothing in its head under the key {KEY!r}")
            yield file, head
    except SafetensorError as error:
        raise ValueError(str(error)) from None


def _inflated(name: str, stored: NDArray | None, shape: list[int]) -> NDArray:
    try:
        if stored is None:
            raise ValueError("it is not there")
        content = bytearray(zlib.decompress(stored.data))  # torch needs writable memory
        return np.frombuffer(content, np.uint8).reshape(shape)
    except (ValueError, zlib.error) as error:
        raise ValueError(f"the packed array {name} is corrupt: {error}") from None
