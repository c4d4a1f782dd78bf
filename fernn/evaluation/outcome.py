"""The files of an evaluation: results.csv with all that was measured, and samples for figures."""

import csv
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from fernn.arrays import write_arrays
from fernn.evaluation import COLUMNS, Measures
from fernn.files import write_text
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
        check: called before the results are written; an error there leaves them unwritten.
    """

    device: torch.device
    run: str
    check: Callable[[], None]


def evaluate_to_files(
    model: Model,
    training: "Training",
    weights: Path,
    measure: Callable[[nn.Module], tuple[dict[str, Measures], dict[str, Tensor]]],
    place: Workplace,
    outputs: tuple[Path, Path],
) -> None:
    """Measure a trained model in evaluation mode; write the measures, its number of parameters, and the samples.

    Args:
        model: the network.
        training: `precision`, `winograd` and `threads` of the section of params.yaml.
        weights: the file of the model.
        measure: gives the measures by test, and samples, arrays by name.
        place: where it is done.
        outputs: the files of the measures (CSV, a row for each value) and of the samples (safetensors).
    """
    prepare(place.device, training.threads, training.precision, training.winograd)
    network = read_model(weights, (model.network,), place.device)
    with torch.no_grad(), autocast(place.device, training.precision):
        measured, samples = measure(network)
    place.check()
    write_arrays(outputs[1], {name: value.cpu() for name, value in samples.items()}, {"run": place.run})
    rows: list[tuple[str, str, str, float]]
    rows = [("", "parameters", "", sum(weight.numel() for weight in network.parameters()))]
    rows += [(test, name, index, value) for test, of in measured.items() for (name, index), value in of.items()]
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([COLUMNS, *rows])  # a float as its repr, which reads back exactly
    write_text(outputs[0], text.getvalue())
