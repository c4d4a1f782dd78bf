"""Arrays of a data set in one safetensors file, with a record of where they come from."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save
from torch import Tensor

from fernn.data.packing import pack, unpack
from fernn.errors import FernnError
from fernn.files import atomic


def write_arrays(
    path: str | Path, arrays: Mapping[str, Tensor], about: Mapping[str, Any], packed: tuple[str, ...] = ()
) -> None:
    """Write named arrays and their record to `path`, whole or not at all; same content, same bytes.

    Args:
        path: the file.
        arrays: by name.
        about: their record, plain values.
        packed: names of arrays of uint8 that are deflated.
    """
    plain = {name: array.contiguous().numpy() for name, array in arrays.items()}
    stored, record = pack(plain, about, packed)
    # one metadata key only: the format keeps several in an order that changes from run to run
    with atomic(path) as temporary:
        temporary.write_bytes(save(stored, {"fernn": json.dumps(record, sort_keys=True)}))


def read_arrays(path: str | Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read what `write_arrays` wrote: the arrays, and their record.

    Raises:
        FernnError: if the file is missing or is not one of these.
    """
    try:
        with safe_open(str(path), "numpy") as file:
            record = json.loads((file.metadata() or {})["fernn"])
            stored = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
        arrays, about = unpack(stored, record)
        return {name: torch.from_numpy(array) for name, array in arrays.items()}, about
    except FileNotFoundError:
        raise FernnError(f"{path}: no such file. `fernn dataset` makes it, or run snakemake for it.") from None
    except (SafetensorError, KeyError, ValueError) as error:
        raise FernnError(f"{path}: broken or of another kind ({error}). Remove it and make it again.") from None
