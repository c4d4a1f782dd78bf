"""Which learning rate stands for a model: the best on validation data, over all seeds."""

import math
import statistics
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fernn.errors import FernnError, listed
from fernn.layout import Layout
from fernn.params import Params
from fernn.results.values import diverged, epoch_ends, read_metrics
from fernn.runs import Run, runs_of

if TYPE_CHECKING:
    from fernn.experiment import Experiment


@dataclass(frozen=True)
class Summary:
    """A measure over seeds: its mean, the sample standard deviation (n - 1; None for one seed), the number of seeds."""

    mean: float
    std: float | None
    n: int


def summarize(values: Iterable[float]) -> Summary:
    """Mean and sample standard deviation of one value for each seed; at least one."""
    values = list(values)
    std = statistics.stdev(values) if len(values) > 1 else None
    return Summary(statistics.fmean(values), std, len(values))


@dataclass(frozen=True)
class Criterion:
    """What a run is chosen by: the best value over its epochs of a column of metrics.csv."""

    column: str
    lower: bool  # whether the lowest value is the best one

    @property
    def name(self) -> str:
        """For tables and readers, such as "lowest validation_loss"."""
        return f"{'lowest' if self.lower else 'highest'} {self.column}"


LOSS = Criterion("validation_loss", lower=True)
ACCURACY = Criterion("validation_accuracy", lower=False)


@dataclass(frozen=True)
class Candidate:
    """The runs of a model with one learning rate, one for each seed.

    Attributes:
        learning_rate: of Adam.
        runs: by seed.
        score: their criterion over the seeds; None if the candidate failed.
        failure: which seeds diverged, and when: a candidate fails by one of them. Empty if it did not.
    """

    learning_rate: float
    runs: tuple[Run, ...]
    score: Summary | None
    failure: str = ""


@dataclass(frozen=True)
class Selection:
    """A model trained on the data of one flow, with every learning rate that was tried, in the order of params.yaml."""

    experiment: str
    flow: str
    model: str
    criterion: Criterion
    candidates: tuple[Candidate, ...]

    @property
    def chosen(self) -> Candidate:
        """The candidate of the best mean score; the first of equals. `select` sees to it that one has a score."""
        best, worst = (min, math.inf) if self.criterion.lower else (max, -math.inf)
        return best(self.candidates, key=lambda candidate: candidate.score.mean if candidate.score else worst)

    @property
    def runs(self) -> tuple[Run, ...]:
        """The runs of the chosen learning rate."""
        return self.chosen.runs


def select(
    params: Params,
    layout: Layout,
    experiments: Iterable["Experiment[Any]"],
    finished: Callable[[Run], bool] = lambda run: True,
) -> list[Selection]:
    """Choose a learning rate for each model of each flow, in the order of params.yaml.

    A model of which a run is not `finished` is left out.

    Raises:
        FernnError: if a run's metrics.csv is missing or malformed, or every candidate of a model failed.
    """
    selections = []
    for experiment in experiments:
        by_rate: dict[tuple[str, str], dict[float, list[Run]]] = {}
        for run in runs_of(params, experiment.name):
            by_rate.setdefault((run.flow, run.model), {}).setdefault(run.learning_rate, []).append(run)
        for (flow, model), rates in by_rate.items():
            if not all(finished(run) for runs in rates.values() for run in runs):
                continue
            candidates = tuple(
                _candidate(params, layout, experiment.criterion, rate, runs) for rate, runs in rates.items()
            )
            selections.append(Selection(experiment.name, flow, model, experiment.criterion, candidates))
    failed = [of for of in selections if not any(candidate.score for candidate in of.candidates)]
    if failed:
        lines = [f"{tried.runs[0].group}: {tried.failure}" for of in failed for tried in of.candidates]
        raise FernnError(
            f"no learning rate is left to choose, since all that were tried diverged:{listed(lines, len(lines))}\n"
            "Give lower ones in params.yaml (search, or the model's learning_rate), or a lower clip_norm."
        )
    return selections


def _candidate(params: Params, layout: Layout, criterion: Criterion, rate: float, runs: list[Run]) -> Candidate:
    """What a candidate is chosen by is the best epoch of each of its runs on validation data."""
    epochs = params.section(runs[0].experiment).training.epochs
    metrics = [epoch_ends(read_metrics(layout, run, epochs, criterion.column)) for run in runs]
    failures = [
        f"seed {run.seed} diverged in epoch {len(of['epoch'])}"
        for run, of in zip(runs, metrics, strict=True)
        if diverged(of)
    ]
    if failures:
        return Candidate(rate, tuple(runs), None, ", ".join(failures))
    best = min if criterion.lower else max
    return Candidate(rate, tuple(runs), summarize(best(of[criterion.column]) for of in metrics))
