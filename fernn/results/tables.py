"""The tables stage: the paper's tables as csv, md and tex, judged claims, the learning rate search, cost of runs."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fernn.files import sha256, write_json, write_text
from fernn.layout import CLAIMS, COST, EVALUATION, METRICS, NOTES, Layout
from fernn.params import Params
from fernn.provenance.records import identity
from fernn.results.claims.claim import Cell, Order, flow_of
from fernn.results.claims.judge import Judgement, cell_of, judge
from fernn.results.claims.text import claims_csv, claims_md, tested, why
from fernn.results.selection import Selection, Summary, summarize
from fernn.results.text import as_csv, escaped, fixed, math_name, pipes
from fernn.results.values import Values, machine, read_training, read_values, seconds_per_step
from fernn.runs import Run, evaluations_of, runs_of

if TYPE_CHECKING:
    from fernn.experiment import Experiment

FORMATS = ("csv", "md", "tex")
MARKS = """\
(?) marks a figure of the paper that was taken from a secondary source. A blank is a figure that we do not have.
"""
VERDICT = """\
Verdict: whether the paper's figure, and its order of the models that have one, is reproduced; claims.md says how that
is judged, and why. Not run: these results cannot tell, such as those of a scale of other sizes.
"""
SELECTION = "selection.csv"
COST_COLUMNS = ("experiment", "model", "flow", "parameters", "step_seconds", "std", "n", "steps", "hours", "device")
COST_HEADS = ("Data", "Model", "Parameters", "Flow", "Step (ms)", "n", "Steps", "Hours", "Trained on")
COST_READING = """\
A step: a batch forward and backward, clipping and Adam, and its share of the validations. ± is the sample standard
deviation over the n runs of all seeds and learning rates; hours are those of all of them, and of all GPUs that shared
one, added up. What else the machine did at that time is in it.
"""
NOTE = r"(?) from a secondary source. $\pm$ is the sample standard deviation over $n$ seeds."


@dataclass(frozen=True)
class Row:
    """A model trained and tested on the data of one flow: our value, and how the paper's was judged.

    A baseline has no selection and no parameters, and n = 0.
    """

    experiment: str
    flow: str
    model: str
    ours: Summary
    selection: Selection | None = None
    parameters: int | None = None
    judged: Judgement | None = None
    extra: Mapping[str, Summary] = field(default_factory=dict)  # of `Table.extra`; not compared

    @property
    def paper(self) -> Cell | None:
        """The paper's value, if it has one."""
        return self.judged.claim if self.judged and isinstance(self.judged.claim, Cell) else None

    @property
    def verdict(self) -> str:
        """Of the paper's value; empty without one."""
        return self.judged.verdict.value if self.judged else ""

    @property
    def rate(self) -> float | None:
        """The learning rate."""
        return self.selection.chosen.learning_rate if self.selection else None


@dataclass(frozen=True)
class About:
    """What a table says of its data."""

    title: str  # after its name and scale
    notes: list[str]  # below the table, such as sizes of data sets and what was dropped
    sources: Sequence[Path] = ()  # files that it is made of, besides those of runs
    data: str = ""  # what the models are tested on; empty for the experiment's name
    columns: Mapping[str, str] = field(default_factory=dict)  # of the csv, with one value in all rows
    warning: str = ""  # a paragraph above the table
    search: str = ""  # a paragraph below it, on learning rates
    tex: str = ""  # a sentence below the tex


@dataclass(frozen=True)
class Table:
    """The description of a table of the paper. An experiment that names it has a row for each model that it tests."""

    name: str  # in file names, such as "table1"
    metric: str  # its name in the csv; the measure of its cells in claims.yaml
    heading: str  # of its values
    test: Callable[[Run], str]  # the test that it shows, by run
    measure: str  # of the test, see `Values`
    number: Callable[[float, float | None, int, bool], str]  # mean, deviation, decimals, as LaTeX
    decimals: tuple[int, int]  # of our values and of the paper's
    reading: str  # how to read it
    # the parts of data sets that the table and the figures of experiments read, besides files of runs
    reads: Callable[[Params, Layout, Sequence[str]], list[Path]]
    about: Callable[[Params, Layout, list[Row], Values], About]
    of_paper: bool = False  # only rows of models that were trained on the flow of the paper's table
    extra: tuple[str, ...] = ()  # more measures of the test, for the csv, where they were measured
    # values of forecasts without training, of an experiment and a flow
    baselines: Callable[[Params, Layout, str, str], dict[str, float]] = lambda params, layout, experiment, flow: {}

    def shows(self, params: Params, run: Run) -> bool:
        """Whether a run's model has a row."""
        tested_on = self.test(run) in evaluations_of(params, run)
        return tested_on and (not self.of_paper or run.flow == flow_of(run.experiment, self.metric))

    def runs(self, params: Params, experiments: Iterable[str]) -> list[Run]:
        """The runs of all models that have a row."""
        return [run for name in experiments for run in runs_of(params, name) if self.shows(params, run)]

    def rows(
        self,
        params: Params,
        layout: Layout,
        selections: Iterable[Selection],
        values: Values,
        judgements: Sequence[Judgement],
    ) -> list[Row]:
        """A row for each model, in the order of params.yaml; baselines follow the models of a data set.

        Raises:
            FernnError: if a value is missing.
        """
        found: dict[tuple[str, str], list[Row]] = {}
        for of in selections:
            if self.shows(params, of.runs[0]):
                test = self.test(of.runs[0])
                extra = {name: [run for run in of.runs if values.has(run, test, name)] for name in self.extra}
                model = of.experiment, of.flow, of.model
                row = Row(
                    *model,
                    summarize(values.whole(of.runs, test, self.measure)),
                    of,
                    values.parameters(of.runs[0]),
                    cell_of(judgements, *model, self.metric),
                    {name: summarize(values.whole(runs, test, name)) for name, runs in extra.items() if runs},
                )
                found.setdefault(model[:2], []).append(row)
        for at, rows in found.items():
            baselines = self.baselines(params, layout, *at)
            rows += [Row(*at, name, Summary(value, None, 0)) for name, value in baselines.items()]
        return [row for rows in found.values() for row in rows]

    def texts(
        self, params: Params, layout: Layout, rows: list[Row], values: Values, judgements: Iterable[Judgement]
    ) -> tuple[dict[str, str], str, list[str]]:
        """Its files by name, one for each of `FORMATS`; its title; the notes below it.

        Raises:
            FernnError: if a file of the data is missing or malformed.
        """
        about = self.about(params, layout, rows, values)
        title = f"{self.name.capitalize()[:-1]} {self.name[-1]}, scale {params.scale}: {about.title}"
        notes = [*about.notes, *self._sources(layout, rows, about.sources)]
        parts = [f"# {title}", about.warning, self._md(rows, about), *self._orders(rows, about, judgements)]
        parts += [about.search, "\n".join([self.reading, MARKS, VERDICT, *(f"- {escaped(note)}" for note in notes)])]
        files = {
            f"{self.name}.csv": self._csv(rows, about),
            f"{self.name}.md": "\n\n".join(filter(None, parts)) + "\n",
            f"{self.name}.tex": self._tex(rows, about, f"Scale {params.scale}.{about.tex}", notes),
        }
        return files, title, notes

    def _csv(self, rows: list[Row], about: About) -> str:
        header = ["experiment", "model", "flow", "metric", "mean", "std", "n"]
        header += ["paper_value", "paper_std", "source", "verdict", "learning_rate", "parameters", *about.columns]
        lines: list[list[object]] = []
        for row in rows:
            of, ours, paper = [row.experiment, row.model, row.flow], row.ours, row.paper
            cell: list[object] = ["", "", ""]
            if paper is not None:
                mark = ", from a secondary source (?)" if paper.secondary else ""
                cell = [paper.value, paper.std, paper.source + mark]
            last = [row.rate, row.parameters, *about.columns.values()]
            lines.append([*of, self.metric, ours.mean, ours.std, ours.n, *cell, row.verdict, *last])
            for name, extra in row.extra.items():
                lines.append([*of, f"test_{name}", extra.mean, extra.std, extra.n, *[""] * 4, *last])
        return as_csv(header, lines)

    def _md(self, rows: list[Row], about: About) -> str:
        header = ["Data", "Model", "Parameters", "Flow", self.heading, "n", "Learning rate", "Paper", "Verdict"]
        lines = []
        for row in rows:
            ours, paper = self._numbers(row)
            rate = "" if row.rate is None else f"{row.rate:g}"
            cells = [about.data or row.experiment, row.model, _count(row), row.flow, ours, str(row.ours.n or ""), rate]
            lines.append([*cells, paper, row.verdict])
        return pipes(header, lines)

    def _orders(self, rows: list[Row], about: About, judgements: Iterable[Judgement]) -> list[str]:
        """Verdicts on the paper's orders of the models, as paragraphs; none if two of its models were not run."""
        experiments = {row.experiment for row in rows}
        lines = [
            f"- {about.data or each.claim.experiment}, {each.claim.asks[0].flow}: {each.claim.text}: "
            f"**{each.verdict.value}** ({f'{tested(each)}; {why(each)}' if each.found else why(each)})"
            for each in judgements
            if isinstance(each.claim, Order)
            and each.claim.experiment in experiments
            and {asked.measure for asked in each.claim.asks} == {self.metric}
            and each.samples
        ]
        return ["The paper's order of the models that have its figure:", "\n".join(lines)] if lines else []

    def _tex(self, rows: list[Row], about: About, note: str, source: list[str]) -> str:
        """The rows, the note below them; the source is in comments."""
        head = rf"Flow & Model & Parameters & {self.heading} & $n$ & Paper \\"
        lines = [*(f"% {line}" for line in source), r"\begin{tabular}{llrccc}", r"\toprule", head]
        before = None
        for row in rows:
            data, model = about.data or row.experiment, math_name(row.model.replace("_", r"\_"))
            flow = f"{data[0].upper()}{data[1:]}, {math_name(row.flow)}"
            if flow != before:
                lines.append(r"\midrule")
            before = flow
            ours, paper = self._numbers(row, latex=True)
            lines.append(rf"{flow} & {model} & {_count(row)} & {ours} & {row.ours.n or ''} & {paper} \\")
        note = rf"\multicolumn{{6}}{{l}}{{\footnotesize {note} {NOTE}}}"
        return "\n".join([*lines, r"\bottomrule", note, r"\end{tabular}"]) + "\n"

    def _numbers(self, row: Row, latex: bool = False) -> tuple[str, str]:
        """Our value and the paper's."""
        ours, paper, (our_decimals, their_decimals) = row.ours, row.paper, self.decimals
        theirs = "" if paper is None else self.number(paper.value, paper.std, their_decimals, latex) + paper.mark
        return self.number(ours.mean, ours.std, our_decimals, latex), theirs

    def _sources(self, layout: Layout, rows: list[Row], more: Sequence[Path]) -> list[str]:
        """The runs, the learning rates that failed, and one digest of all files that the table is made of."""
        lines, files = [], list(more)
        for selection in (row.selection for row in rows if row.selection):
            runs = selection.runs
            lines.append(f"Runs {runs[0].group}, seeds {', '.join(str(run.seed) for run in runs)}")
            lines += [
                f"Failed, and never chosen: {tried.runs[0].group}, {tried.failure}"
                for tried in selection.candidates
                if tried.failure
            ]
            files += [layout.evaluation(run.id, EVALUATION) for run in runs]
            files += [layout.run(run.id, METRICS) for tried in selection.candidates for run in tried.runs]
        names = {path: path.relative_to(layout.base).as_posix() for path in files}
        also = "".join(f", and of {names[path]}" for path in more)
        digest = identity({name: sha256(path) for path, name in names.items()})
        what = f"{EVALUATION} and {METRICS}, with those of all learning rates{also}"
        return [*lines, f"Digest of their {what}: {digest}"]


def _count(row: Row) -> str:
    return "" if row.parameters is None else f"{row.parameters:,}"


def tables_of(params: Params, experiments: "Iterable[Experiment[Any]]") -> dict[Table, list[str]]:
    """The tables that have rows by params.yaml, each with the experiments that name it."""
    found: dict[Table, list[str]] = {}
    for experiment in experiments:
        found.setdefault(experiment.table, []).append(experiment.name)
    there = {table: names for table, names in found.items() if table.runs(params, names)}
    return dict(sorted(there.items(), key=lambda item: item[0].name))


def table_names(params: Params, experiments: "Iterable[Experiment[Any]]") -> list[str]:
    """The files of all tables."""
    files = [f"{table.name}.{form}" for table in tables_of(params, experiments) for form in FORMATS]
    return [*files, SELECTION, NOTES, *CLAIMS, *COST]


def tabulated_models(params: Params, experiments: "Iterable[Experiment[Any]]") -> list[tuple[str, str, str]]:
    """(experiment, flow, model) of every row in a table."""
    runs = (run for table, names in tables_of(params, experiments).items() for run in table.runs(params, names))
    return list(dict.fromkeys((run.experiment, run.flow, run.model) for run in runs))


def write_tables(
    params: Params, layout: Layout, experiments: "Sequence[Experiment[Any]]", selections: Sequence[Selection]
) -> None:
    """Write the tables, the judged claims, and the tables' values as metrics for DVC.

    The same inputs give the same bytes, except for times in the table of cost and in claims.

    Raises:
        FernnError: if a file of a run in params.yaml, or of the videos, is missing or malformed.
    """
    values = read_values(layout, [run for of in selections for run in of.runs])
    judgements = judge(params, layout, experiments, selections)
    texts, notes = {SELECTION: _selection_csv(selections)}, []
    texts |= dict(zip(CLAIMS, (claims_csv(judgements), claims_md(params, judgements)), strict=True))
    texts |= _cost(params.scale, layout, selections, values)
    for table, names in tables_of(params, experiments).items():
        rows = table.rows(params, layout, [of for of in selections if of.experiment in names], values, judgements)
        files, title, below = table.texts(params, layout, rows, values, judgements)
        texts |= files
        notes += [(table.name, "title", title), *((table.name, "note", note) for note in below)]
        for row in rows:
            if row.selection:
                write_json(layout.metrics(row.experiment, row.flow, row.model), _numbers(table, row))
    texts[NOTES] = as_csv(("table", "kind", "text"), notes)
    for name, text in texts.items():
        write_text(layout.table(name), text)


def _numbers(table: Table, row: Row) -> dict[str, float]:
    """The means of a row and their standard deviations."""
    found = {table.metric: row.ours, **{f"test_{name}": extra for name, extra in row.extra.items()}}
    deviations = {f"{name}_std": of.std for name, of in found.items() if of.std is not None}
    return {name: of.mean for name, of in found.items()} | deviations


def _selection_csv(selections: Iterable[Selection]) -> str:
    """Every learning rate that was tried; mean and std of the criterion over seeds are blank if it failed."""
    header = ["experiment", "model", "flow", "learning_rate", "criterion", "mean", "std", "n", "chosen", "failure"]
    lines = []
    for of in selections:
        for tried in of.candidates:
            mean, std = (tried.score.mean, tried.score.std) if tried.score else (None, None)
            chosen = "yes" if tried is of.chosen else "no"
            line = [of.experiment, of.model, of.flow, tried.learning_rate, of.criterion.name]
            lines.append([*line, mean, std, len(tried.runs), chosen, tried.failure])
    return as_csv(header, lines)


def _cost(scale: str, layout: Layout, selections: Iterable[Selection], values: Values) -> dict[str, str]:
    """Parameters and the time of a training step; blank where the records have no time.

    Times depend on the machine that trained, so these files, unlike all other tables, differ elsewhere.
    """
    rows, lines = [], []
    for of in selections:
        records = [read_training(layout, run) for tried in of.candidates for run in tried.runs]
        parameters = values.parameters(of.runs[0])
        timed = [record for record in records if seconds_per_step(record)]
        cells: list[object] = [""] * 6
        shown = [""] * 5
        if timed:
            each = summarize(filter(None, map(seconds_per_step, timed)))
            steps = max(record.details["steps"] for record in timed)
            hours = sum(record.details["seconds"] * record.workers for record in timed) / 3600
            on = ", ".join(sorted({machine(record) for record in timed}))
            cells = [each.mean, each.std, each.n, steps, hours, on]
            milliseconds = fixed(1000 * each.mean, None if each.std is None else 1000 * each.std, 1)
            shown = [milliseconds, str(each.n), f"{steps:,}", f"{hours:.2g}", on]
        rows.append([of.experiment, of.model, of.flow, parameters, *cells])
        lines.append([of.experiment, of.model, f"{parameters:,}", of.flow, *shown])
    md = f"# Cost of the runs, scale {scale}\n\n{pipes(COST_HEADS, lines)}\n\n{COST_READING}"
    return dict(zip(COST, (as_csv(COST_COLUMNS, rows), md), strict=True))
