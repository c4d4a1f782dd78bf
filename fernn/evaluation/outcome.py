"""What an evaluation leaves: its measures, and samples for figures."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from fernn.arrays import write_arrays
from fernn.files import write_json
from fernn.models.precision import autocast
from fernn.models.storage import Model, read_model
from fernn.training.device import prepare


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


@dataclass(frozen=True)
class Evaluation:
    """What the result of every evaluation depends on, besides code, files and what its experiment adds.

    Attributes:
        model: the network.
        batch: sequences or clips at a time.
        precision: see `fernn.models.precision`.
        winograd: whether convolutions may be computed as in `fernn.models.winograd`.
        threads: CPU threads, 0 for all.
    """

    model: Model
    batch: int
    precision: str
    winograd: bool
    threads: int


def evaluate_to_files(
    inputs: Evaluation,
    weights: Path,
    measure: Callable[[nn.Module], tuple[dict[str, Any], dict[str, Tensor]]],
    place: Workplace,
    outputs: tuple[Path, Path],
) -> None:
    """Measure a trained model; write what came of it, the number of its parameters, and samples for figures.

    Args:
        inputs: what is measured, and how.
        weights: the file of the model.
        measure: gives measures, plain values by name, and samples, arrays by name.
        place: where it is done.
        outputs: the files of the measures (JSON) and of the samples (safetensors).
    """
    prepare(place.device, inputs.threads, inputs.precision, inputs.winograd)
    model = read_model(weights, (inputs.model.network,), place.device)
    with torch.no_grad(), autocast(place.device, inputs.precision):
        measures, samples = measure(model)
    place.check()
    write_arrays(outputs[1], {name: value.cpu() for name, value in samples.items()}, {"run": place.run})
    parameters = sum(weight.numel() for weight in model.parameters())
    write_json(outputs[0], {"run": place.run, "parameters": parameters, "measures": measures})
