"""Which learning rate stands for a model: the best on validation data, over all seeds."""

from dataclasses import dataclass

from fernn.params.schema import Params
from fernn.results.reading import read_metrics
from fernn.results.summary import Summary, summarize
from fernn.runs import Layout, Run, all_runs, experiment_params


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


def criterion(experiment: str) -> Criterion:
    """What an experiment's runs are chosen by: recognition by accuracy (paper), prediction by loss."""
    return ACCURACY if experiment == "kth" else LOSS


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
    candidates: tuple[Candidate, ...]

    @property
    def criterion(self) -> Criterion:
        """What the candidates are chosen by."""
        return criterion(self.experiment)

    @property
    def chosen(self) -> Candidate:
        """The candidate of the best mean score; the first of equals."""
        best = min if self.criterion.lower else max
        return best(self.candidates, key=lambda candidate: candidate.score.mean)

    @property
    def runs(self) -> tuple[Run, ...]:
        """The runs of the chosen learning rate."""
        return self.chosen.runs


def select(params: Params, layout: Layout) -> list[Selection]:
    """Choose a learning rate for each model of each flow, in the order of params.yaml.

    Raises:
        FernnError: if a run's metrics.csv is missing or malformed.
    """
    selections = []
    by_rate: dict[tuple[str, str, str], dict[float, list[Run]]] = {}
    for run in all_runs(params).values():
        rates = by_rate.setdefault((run.experiment, run.flow, run.model), {})
        rates.setdefault(run.learning_rate, []).append(run)
    for key, rates in by_rate.items():
        candidates = tuple(
            Candidate(rate, tuple(runs), summarize(score(params, layout, run) for run in runs))
            for rate, runs in rates.items()
        )
        selections.append(Selection(*key, candidates))
    return selections


def score(params: Params, layout: Layout, run: Run) -> float:
    """What a run is chosen by: its best epoch on validation data."""
    epochs = experiment_params(params, run.experiment).training.epochs
    chosen_by = criterion(run.experiment)
    values = read_metrics(layout, run, epochs, chosen_by.column)[chosen_by.column]
    return min(values) if chosen_by.lower else max(values)
