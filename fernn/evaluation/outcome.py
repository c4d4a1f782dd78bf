"""The files of an evaluation: results.csv with all that was measured, and samples for figures."""

import csv
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from fernn.arrays import write_arrays
from fernn.files import write_text
from fernn.models.precision import autocast
from fernn.models.storage import Model, read_model
from fernn.training.device import prepare

COLUMNS = ("test", "measure", "index", "value")  # of results.csv
Measures = dict[tuple[str, str], float]  # of one test, by measure and index; "" indexes a measure of the whole test


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
    measure: Callable[[nn.Module], tuple[dict[str, Measures], dict[str, Tensor]]],
    place: Workplace,
    outputs: tuple[Path, Path],
) -> None:
    """Measure a trained model in evaluation mode; write the measures, its number of parameters, and the samples.

    Args:
        inputs: what is measured, and how.
        weights: the file of the model.
        measure: gives the measures by test, and samples, arrays by name.
        place: where it is done.
        outputs: the files of the measures (CSV, a row for each value) and of the samples (safetensors).
    """
    prepare(place.device, inputs.threads, inputs.precision, inputs.winograd)
    model = read_model(weights, (inputs.model.network,), place.device)
    with torch.no_grad(), autocast(place.device, inputs.precision):
        measured, samples = measure(model)
    place.check()
    write_arrays(outputs[1], {name: value.cpu() for name, value in samples.items()}, {"run": place.run})
    rows: list[tuple[str, str, str, float]]
    rows = [("", "parameters", "", sum(weight.numel() for weight in model.parameters()))]
    rows += [(test, name, index, value) for test, of in measured.items() for (name, index), value in of.items()]
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([COLUMNS, *rows])  # a float as its repr, which reads back exactly
    write_text(outputs[0], text.getvalue())
