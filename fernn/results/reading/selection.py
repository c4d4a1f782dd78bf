"""Which learning rate stands for a model: the best on validation data, over all seeds."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from fernn.layout import Layout
from fernn.params import Params
from fernn.results.reading.runs import read_metrics
from fernn.results.reading.summary import Summary, summarize
from fernn.runs import Run, runs_of


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
    """The runs of a model with one learning rate, one for each seed, and their score: its criterion over the seeds."""

    learning_rate: float
    runs: tuple[Run, ...]
    score: Summary


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
        """The candidate of the best mean score; the first of equals."""
        best = min if self.criterion.lower else max
        return best(self.candidates, key=lambda candidate: candidate.score.mean)

    @property
    def runs(self) -> tuple[Run, ...]:
        """The runs of the chosen learning rate."""
        return self.chosen.runs


class Selected(Protocol):
    """An experiment, as far as a selection asks."""

    name: str
    criterion: Criterion


def select(params: Params, layout: Layout, experiments: Iterable[Selected]) -> list[Selection]:
    """Choose a learning rate for each model of each flow, in the order of params.yaml.

    Raises:
        FernnError: if a run's metrics.csv is missing or malformed.
    """
    selections = []
    for experiment in experiments:
        by_rate: dict[tuple[str, str], dict[float, list[Run]]] = {}
        for run in runs_of(params, experiment.name):
            by_rate.setdefault((run.flow, run.model), {}).setdefault(run.learning_rate, []).append(run)
        for (flow, model), rates in by_rate.items():
            candidates = tuple(
                Candidate(
                    rate, tuple(runs), summarize(_score(params, layout, run, experiment.criterion) for run in runs)
                )
                for rate, runs in rates.items()
            )
            selections.append(Selection(experiment.name, flow, model, experiment.criterion, candidates))
    return selections


def _score(params: Params, layout: Layout, run: Run, criterion: Criterion) -> float:
    """What a run is chosen by: its best epoch on validation data."""
    epochs = params.section(run.experiment).training.epochs
    values = read_metrics(layout, run, epochs, criterion.column)[criterion.column]
    return min(values) if criterion.lower else max(values)
