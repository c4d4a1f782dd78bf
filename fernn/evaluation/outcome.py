"""What an evaluation leaves: its measures, and samples for figures."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from fernn.arrays import write_arrays
from fernn.files import write_json


@dataclass(frozen=True)
class Workplace:
    """Where a run is evaluated.

    Attributes:
        device: what computes.
        run: its id.
        check: called before the result is written; an error there leaves it unwritten.
    """

    device: torch.device
    run: str
    check: Callable[[], None]


def write_outcome(
    model: nn.Module, measures: dict[str, Any], samples: dict[str, Tensor], place: Workplace, outputs: tuple[Path, Path]
) -> None:
    """Write what was measured of a run, and samples for figures.

    Args:
        model: what was measured; the number of its parameters is told.
        measures: plain values by name.
        samples: arrays by name.
        place: where it was done.
        outputs: the files of the measures (JSON) and of the samples (safetensors).
    """
    place.check()
    write_arrays(outputs[1], samples, {"run": place.run})
    parameters = sum(weight.numel() for weight in model.parameters())
    write_json(outputs[0], {"run": place.run, "parameters": parameters, "measures": measures})
