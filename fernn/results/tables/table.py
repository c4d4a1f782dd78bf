"""A table of the paper and its rows: our numbers, the paper's, and how they compare."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from fernn.files import sha256
from fernn.layout import Layout
from fernn.params import Params
from fernn.provenance.digests import identity
from fernn.results.names import math_name
from fernn.results.reading.runs import read_parameters
from fernn.results.reading.selection import Selection
from fernn.results.reading.summary import Summary, summarize
from fernn.results.tables.published import Claim, Published, Verdict, claims, compare, lower_is_better, order, published

Number = Callable[[float, float | None, int, bool], str]  # mean, deviation, decimals, whether as LaTeX


class PaperTable(Protocol):
    """A table, as the pipeline asks for it."""

    @property
    def name(self) -> str:
        """In published.yaml and in file names."""

    def is_there(self, params: Params, experiments: Sequence[str]) -> bool:
        """Whether runs of these experiments, which all stand in it, are to be measured for it."""

    def reads(self, params: Params, layout: Layout, experiments: Sequence[str]) -> list[Path]:
        """The parts of data sets that it and the figures of these experiments are made of, besides files of runs."""

    def texts(
        self, params: Params, layout: Layout, experiments: Sequence[str], selections: Sequence[Selection]
    ) -> dict[str, str]:
        """Its files, by their names: one in each of `FORMATS`."""


FORMATS = ("csv", "md", "tex")


@dataclass(frozen=True)
class Table:
    """How the numbers of a table are told.

    Attributes:
        name: "table1" or "table2".
        metric: of its figures, in the csv.
        heading: of its figures, for readers.
        number: writes a figure.
        decimals: of our figures and of the paper's.
        data: what the models are tested on, by experiment.
    """

    name: str
    metric: str
    heading: str
    number: Number
    decimals: tuple[int, int]
    data: dict[str, str]

    @property
    def lower(self) -> bool:
        """Whether a lower figure is the better one."""
        return lower_is_better(self.name)


@dataclass(frozen=True)
class Row:
    """A model trained and tested on the data of one flow: our figure, the paper's, and the comparison.

    A forecast without a model has no selection and no parameters, and its figure goes over no seeds (n = 0). `central`
    is our figure over the middle of the frames alone, where that was measured as well; what is compared is the one over
    whole frames.
    """

    experiment: str
    flow: str
    model: str
    ours: Summary
    selection: Selection | None = None
    parameters: int | None = None
    central: Summary | None = None
    paper: Published = field(default_factory=Published)
    verdict: Verdict = field(default_factory=lambda: Verdict(""))

    @property
    def rate(self) -> float | None:
        """The learning rate."""
        return self.selection.chosen.learning_rate if self.selection else None


def make_row(
    params: Params,
    layout: Layout,
    table: Table,
    selection: Selection,
    figures: Iterable[float],
    incomparable: str = "",
) -> Row:
    """A row of one figure for each seed; `incomparable` says why ours has nothing to do with the paper's."""
    ours = summarize(figures)
    of = selection.experiment, selection.flow, selection.model
    paper = published(table.name, *of)
    verdict = Verdict(incomparable) if incomparable else compare(ours, paper, params.scale, table.lower)
    return Row(*of, ours, selection, read_parameters(layout, selection.runs[0]), paper=paper, verdict=verdict)


def ranking(table: Table, rows: list[Row]) -> dict[tuple[str, str], list[Claim]]:
    """The ranking of the models by the paper's figures, held against the rows, by experiment and flow."""
    figures: dict[tuple[str, str], dict[str, Summary]] = {}
    for row in rows:
        figures.setdefault((row.experiment, row.flow), {})[row.model] = row.ours
    return {key: claims(ours, order(table.name, *key), table.lower) for key, ours in figures.items()}


def numbers(table: Table, row: Row, latex: bool = False) -> tuple[str, str]:
    """Our figure and the paper's, for readers."""
    ours, paper, (our_decimals, their_decimals) = row.ours, row.paper, table.decimals
    theirs = "" if paper.value is None else table.number(paper.value, paper.std, their_decimals, latex) + paper.mark
    return table.number(ours.mean, ours.std, our_decimals, latex), theirs


def names(table: Table, row: Row) -> tuple[str, str]:
    """Data with flow, and model, as LaTeX."""
    data = table.data[row.experiment]
    model = math_name(row.model.replace("_", r"\_"))
    return f"{data[0].upper()}{data[1:]}, {math_name(row.flow)}", model


def sources(layout: Layout, rows: list[Row], more: Sequence[Path] = ()) -> list[str]:
    """The runs behind a table, the learning rates that failed, and one digest: of the files of all runs and `more`."""
    lines = []
    files = list(more)
    for selection in (row.selection for row in rows if row.selection):
        runs = selection.runs
        lines.append(f"Runs {runs[0].group}, seeds {', '.join(str(run.seed) for run in runs)}")
        lines += [
            f"Failed, and never chosen: {tried.runs[0].group}, {tried.failure}"
            for tried in selection.candidates
            if tried.failure
        ]
        files += [layout.evaluation(run.id, "evaluation.json") for run in runs]
        files += [layout.run(run.id, "metrics.csv") for tried in selection.candidates for run in tried.runs]
    digests = {path.relative_to(layout.base).as_posix(): sha256(path) for path in files}
    of = "evaluation.json and metrics.csv, with those of all learning rates"
    also = "".join(f", and of {path.relative_to(layout.base).as_posix()}" for path in more)
    return [*lines, f"Digest of their {of}{also}: {identity(digests)}"]
