"""The measures and checks by which the claims about an experiment are judged."""

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fernn.layout import Layout
from fernn.params import Params
from fernn.results.claims.claim import PAPER, Asked
from fernn.results.selection import Selection
from fernn.results.values import epoch_ends, read_metrics, read_training, read_values, seconds_per_step
from fernn.runs import Run


class NotMeasuredError(Exception):
    """Why a measure has no values in these runs; not an error of the user."""


Read = Callable[[Params, Layout, Selection, str | None], Sequence[float]]  # `within` last; one value for each run


@dataclass(frozen=True)
class Measure:
    """A number of each run of a model."""

    read: Read  # in the order of the selection's runs; raises NotMeasuredError
    # the name in `evaluate:` of params.yaml that it needs; None if it needs none
    needs: Callable[[Selection], str | None] = lambda selection: None
    lower: bool = True  # whether lower is better
    ratio: bool = True  # whether two values are compared by their ratio (as logarithms) or by their difference
    timed: bool = False  # whether it depends on the machine: values of different machines are not compared


@dataclass(frozen=True)
class Evidence:
    """What claims about an experiment are judged by."""

    code: str  # the module that defines it, whose imports decide the bytes of claims.csv
    measures: Mapping[str, Measure]
    checks: Mapping[str, Callable[[Params, str], float]] = field(default_factory=dict)  # of a model; need no run
    generators: Callable[[Params, str], int] | None = None  # |V| of a model, for claims of kind `lines`
    # why these results can support nothing, such as synthetic videos; empty if they can
    barred: Callable[[Params, Layout], str] = lambda params, layout: ""
    claims: Path = PAPER  # the file of the claims about it


@dataclass(frozen=True)
class Sample:
    """The values of a measure, one for each run, and the machines that trained the runs."""

    asked: Asked
    measure: Measure
    runs: tuple[Run, ...]
    values: tuple[float, ...]
    hardware: tuple[str, ...]


def whole_test(measure: str, test: Callable[[Selection], str], lower: bool = True, ratio: bool = True) -> Measure:
    """A measure of a whole test; arguments as of `Measure`."""

    def read(params: Params, layout: Layout, selection: Selection, within: str | None) -> list[float]:
        return read_values(layout, selection.runs).whole(selection.runs, test(selection), measure)

    return Measure(read, test, lower, ratio)


def _learning(params: Params, layout: Layout, selection: Selection, within: str | None) -> list[float]:
    epochs = params.section(selection.experiment).training.epochs
    metrics = (epoch_ends(read_metrics(layout, run, epochs, "validation_loss")) for run in selection.runs)
    return [statistics.geometric_mean(of["validation_loss"]) for of in metrics]


def _seconds(params: Params, layout: Layout, selection: Selection, within: str | None) -> list[float]:
    found = []
    for run in selection.runs:
        seconds = seconds_per_step(read_training(layout, run))
        if seconds is None:
            raise NotMeasuredError(f"the record of {run.id} tells no time")
        found.append(seconds)
    return found


# Of two trainings of as many epochs, the one whose loss falls earlier, or deeper, has the lower mean.
LEARNING = Measure(_learning)
# Seconds per optimizer step include each epoch's validation, a small and equal share.
SECONDS_PER_STEP = Measure(_seconds, timed=True)
