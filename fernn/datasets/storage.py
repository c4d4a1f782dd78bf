"""Arrays of a data set in one safetensors file, with a record of where they come from."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from fernn.errors import FernnError
from fernn.files import atomic


def write_arrays(path: str | Path, arrays: Mapping[str, Tensor], about: Mapping[str, Any]) -> None:
    """Write named arrays and their record to `path`, whole or not at all; same content, same bytes."""
    # one metadata key only: the format keeps several in an order that changes from run to run
    record = json.dumps(about, sort_keys=True)
    with atomic(path) as temporary:
        temporary.write_bytes(save({name: array.contiguous() for name, array in arrays.items()}, {"fernn": record}))


def read_arrays(path: str | Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read what `write_arrays` wrote: the arrays, and their record.

    Raises:
        FernnError: if the file is missing or is not one of these.
    """
    try:
        with safe_open(str(path), "pt") as file:
            about = json.loads((file.metadata() or {})["fernn"])
            return {name: file.get_tensor(name) for name in file.keys()}, about  # noqa: SIM118 (not a dict)
    except FileNotFoundError:
        raise FernnError(f"{path}: no such file. `fernn dataset` makes it, or run snakemake for it.") from None
    except (SafetensorError, KeyError, json.JSONDecodeError) as error:
        raise FernnError(f"{path}: broken or of another kind ({error}). Remove it and make it again.") from None
