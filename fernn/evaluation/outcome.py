"""What an evaluation leaves: its measures, and samples for figures."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from fernn.arrays import write_arrays
from fernn.files import write_json
from fernn.models.precision import autocast
from fernn.models.storage import Model, read_model
from fernn.training.device import prepare

if TYPE_CHECKING:
    from fernn.params.base import Training


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


def evaluate_to_files(
    model: Model,
    training: "Training",
    weights: Path,
    measure: Callable[[nn.Module], tuple[dict[str, Any], dict[str, Tensor]]],
    place: Workplace,
    outputs: tuple[Path, Path],
) -> None:
    """Measure a trained model; write what came of it, the number of its parameters, and samples for figures.

    Args:
        model: the network.
        training: `precision`, `winograd` and `threads` of the section of params.yaml.
        weights: the file of the model.
        measure: gives measures, plain values by name, and samples, arrays by name.
        place: where it is done.
        outputs: the files of the measures (JSON) and of the samples (safetensors).
    """
    prepare(place.device, training.threads, training.precision, training.winograd)
    network = read_model(weights, (model.network,), place.device)
    with torch.no_grad(), autocast(place.device, training.precision):
        measures, samples = measure(network)
    place.check()
    write_arrays(outputs[1], {name: value.cpu() for name, value in samples.items()}, {"run": place.run})
    parameters = sum(weight.numel() for weight in network.parameters())
    write_json(outputs[0], {"run": place.run, "parameters": parameters, "measures": measures})
