"""What an experiment's runs can be asked, by whoever judges claims."""

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
    """Why a measure has no values in these runs; no fault of theirs."""


Read = Callable[[Params, Layout, Selection, str | None], Sequence[float]]  # `within` last; one value for each run


@dataclass(frozen=True)
class Measure:
    """A number of each run of a model.

    Attributes:
        read: gives them, in the order of the selection's runs; raises NotMeasuredError.
        needs: the name in `evaluate:` of params.yaml, without which it is not there; None for any run.
        lower: whether a lower one is the better one.
        ratio: whether two of them are compared by their ratio (as logarithms), or by their difference.
        timed: whether it depends on the machine, so that values of two kinds of machine are not compared.
    """

    read: Read
    needs: Callable[[Selection], str | None] = lambda selection: None
    lower: bool = True
    ratio: bool = True
    timed: bool = False


Check = Callable[[Params, str], float]  # of a model, by its name in params.yaml


def _any_scale(params: Params, layout: Layout) -> str:
    return ""


@dataclass(frozen=True)
class Evidence:
    """What an experiment has to say to claims.

    Attributes:
        code: the module that says it; what it imports decides the bytes of claims.csv.
        measures: by name.
        checks: what needs no run, by name.
        generators: |V| of a model, by its name in params.yaml; what claims of kind `lines` ask.
        barred: why these results can support nothing, such as stand-ins for the data; empty if they can.
        claims: the file of the claims about it; the paper's unless it has one of its own.
    """

    code: str
    measures: Mapping[str, Measure]
    checks: Mapping[str, Check] = field(default_factory=dict)
    generators: Callable[[Params, str], int] | None = None
    barred: Callable[[Params, Layout], str] = _any_scale
    claims: Path = PAPER


@dataclass(frozen=True)
class Sample:
    """The values of a measure, one for each run, and the machines that trained these."""

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
    return [_pace(layout, run) for run in selection.runs]


def _pace(layout: Layout, run: Run) -> float:
    seconds = seconds_per_step(read_training(layout, run))
    if seconds is None:
        raise NotMeasuredError(f"the record of {run.id} tells no time")
    return seconds


# of two trainings of as many epochs, the one whose loss falls earlier, or deeper, has the lower mean
LEARNING = Measure(_learning)
# of the optimizer; the validation of each epoch is among them, as a small and equal share
SECONDS_PER_STEP = Measure(_seconds, timed=True)
