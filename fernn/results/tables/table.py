"""A table of the paper and its rows: our numbers, the paper's, and how they compare."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from fernn.files import sha256
from fernn.layout import Layout
from fernn.params import Params
from fernn.provenance.records import identity
from fernn.results.claims.claim import Cell, Order
from fernn.results.claims.judgement import Judgement, cell_of
from fernn.results.names import math_name
from fernn.results.reading.runs import read_parameters
from fernn.results.reading.selection import Selection
from fernn.results.reading.summary import Summary, summarize
from fernn.runs import Run

Number = Callable[[float, float | None, int, bool], str]  # mean, deviation, decimals, whether as LaTeX


class PaperTable(Protocol):
    """A table, as the pipeline asks for it."""

    @property
    def name(self) -> str:
        """In file names."""

    def is_there(self, params: Params, experiments: Sequence[str]) -> bool:
        """Whether runs of these experiments, which all stand in it, are to be measured for it."""

    def rows(self, params: Params, experiments: Sequence[str]) -> list[Run]:
        """Runs of the models that have a row: experiment, flow and model of one tell which."""

    def reads(self, params: Params, layout: Layout, experiments: Sequence[str]) -> list[Path]:
        """The parts of data sets that it and the figures of these experiments are made of, besides files of runs."""

    def texts(
        self,
        params: Params,
        layout: Layout,
        experiments: Sequence[str],
        selections: Sequence[Selection],
        judgements: Sequence[Judgement],
    ) -> dict[str, str]:
        """Its files, by their names: one in each of `FORMATS`. Its verdicts are those of `judgements`."""


FORMATS = ("csv", "md", "tex")


@dataclass(frozen=True)
class Table:
    """How the numbers of a table are told.

    Attributes:
        name: "table1" or "table2".
        metric: of its figures, in the csv; the measure of its cells in claims.yaml.
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


@dataclass(frozen=True)
class Row:
    """A model trained and tested on the data of one flow: our figure, and how the paper's was judged, where it has one.

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
    judged: Judgement | None = None

    @property
    def paper(self) -> Cell | None:
        """The paper's figure."""
        return self.judged.claim if self.judged and isinstance(self.judged.claim, Cell) else None

    @property
    def verdict(self) -> str:
        """What became of it; empty without one."""
        return self.judged.verdict.value if self.judged else ""

    @property
    def rate(self) -> float | None:
        """The learning rate."""
        return self.selection.chosen.learning_rate if self.selection else None


def make_row(
    layout: Layout,
    table: Table,
    selection: Selection,
    figures: Iterable[float],
    judgements: Iterable[Judgement],
) -> Row:
    """A row of one figure for each seed."""
    experiment, flow, model = selection.experiment, selection.flow, selection.model
    judged = cell_of(judgements, experiment, table.metric, flow, model)
    parameters = read_parameters(layout, selection.runs[0])
    return Row(experiment, flow, model, summarize(figures), selection, parameters, judged=judged)


def orders(table: Table, judgements: Iterable[Judgement]) -> list[Judgement]:
    """What became of the paper's orders of the models of a table by its figures, where both were run."""
    return [
        each
        for each in judgements
        if isinstance(each.claim, Order)
        and each.claim.experiment in table.data
        and {asked.measure for asked in each.claim.asks} == {table.metric}
        and each.samples
    ]


def numbers(table: Table, row: Row, latex: bool = False) -> tuple[str, str]:
    """Our figure and the paper's, for readers."""
    ours, paper, (our_decimals, their_decimals) = row.ours, row.paper, table.decimals
    theirs = "" if paper is None else table.number(paper.value, paper.std, their_decimals, latex) + paper.mark
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
        files += [layout.evaluation(run.id, "results.csv") for run in runs]
        files += [layout.run(run.id, "metrics.csv") for tried in selection.candidates for run in tried.runs]
    digests = {path.relative_to(layout.base).as_posix(): sha256(path) for path in files}
    of = "results.csv and metrics.csv, with those of all learning rates"
    also = "".join(f", and of {path.relative_to(layout.base).as_posix()}" for path in more)
    return [*lines, f"Digest of their {of}{also}: {identity(digests)}"]
