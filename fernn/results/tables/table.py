"""A table of the paper: its description, its rows (our values and the paper's), and its files as csv, md and tex."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fernn.files import sha256
from fernn.layout import EVALUATION, METRICS, Layout
from fernn.params import Params
from fernn.provenance.records import identity
from fernn.results.claims.claim import Cell, Order, flow_of
from fernn.results.claims.judge import Judgement, cell_of
from fernn.results.claims.text import tested, why
from fernn.results.selection import Selection, Summary, summarize
from fernn.results.text import as_csv, math_name, pipes
from fernn.results.values import Values
from fernn.runs import Run, evaluations_of, runs_of

FORMATS = ("csv", "md", "tex")
MARKS = """\
(?) marks a figure of the paper that was taken from a secondary source. A blank is a figure that we do not have.
"""
VERDICT = """\
Verdict: whether the paper's figure, and its order of the models that have one, is reproduced; claims.md says how that
is judged, and why. Not run: these results cannot tell, such as those of a scale of other sizes.
"""
NOTE = r"(?) from a secondary source. $\pm$ is the sample standard deviation over $n$ seeds."


@dataclass(frozen=True)
class Row:
    """A model trained and tested on the data of one flow: our value, and how the paper's was judged, where it has one.

    A baseline has no selection and no parameters, and its value goes over no seeds (n = 0). `extra` has values of
    `Table.extra`, which are not compared.
    """

    experiment: str
    flow: str
    model: str
    ours: Summary
    selection: Selection | None = None
    parameters: int | None = None
    judged: Judgement | None = None
    extra: Mapping[str, Summary] = field(default_factory=dict)

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


@dataclass(frozen=True)
class About:
    """What a table says of its data.

    Attributes:
        title: behind its name and scale.
        notes: below the table, such as sizes of data sets and what was dropped.
        sources: files that it is made of, besides those of runs.
        data: what the models are tested on; empty for the experiment's name.
        columns: of the csv, that have one value in all rows.
        warning: a paragraph above the table.
        search: a paragraph below it, on learning rates.
        tex: a sentence below the tex.
    """

    title: str
    notes: list[str]
    sources: Sequence[Path] = ()
    data: str = ""
    columns: Mapping[str, str] = field(default_factory=dict)
    warning: str = ""
    search: str = ""
    tex: str = ""


def _no_baselines(params: Params, layout: Layout, experiment: str, flow: str) -> dict[str, float]:
    return {}


@dataclass(frozen=True)
class Table:
    """The description of a table of the paper. An experiment that names it has a row for each model that it tests.

    Attributes:
        name: in file names, such as "table1".
        metric: its name in the csv; the measure of its cells in claims.yaml.
        heading: of its values, for readers.
        test: whose measure it shows, by the run.
        measure: which one, see `Values`.
        number: writes a mean and a deviation (None: there is none) with some decimals, as LaTeX or not.
        decimals: of our values and of the paper's.
        reading: how to read it.
        reads: the parts of data sets that it and the figures of experiments are made of, besides files of runs.
        about: what it says of its data, by its rows.
        of_paper: whether models have a row only where they were trained on the flow of the paper's table.
        extra: more measures of the test, for the csv: shown where there are any.
        baselines: values of forecasts without training, of an experiment and a flow.
    """

    name: str
    metric: str
    heading: str
    test: Callable[[Run], str]
    measure: str
    number: Callable[[float, float | None, int, bool], str]
    decimals: tuple[int, int]
    reading: str
    reads: Callable[[Params, Layout, Sequence[str]], list[Path]]
    about: Callable[[Params, Layout, list[Row], Values], About]
    of_paper: bool = False
    extra: tuple[str, ...] = ()
    baselines: Callable[[Params, Layout, str, str], dict[str, float]] = _no_baselines

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
        """A row for each selection that it shows, in the order of params.yaml; below those of a data set, baselines.

        Raises:
            FernnError: if a value is missing.
        """
        found: dict[tuple[str, str], list[Row]] = {}
        for of in selections:
            if self.shows(params, of.runs[0]):
                test = self.test(of.runs[0])
                extra = {name: [run for run in of.runs if values.has(run, test, name)] for name in self.extra}
                row = Row(
                    of.experiment,
                    of.flow,
                    of.model,
                    summarize(values.whole(of.runs, test, self.measure)),
                    of,
                    int(values.whole(of.runs[:1], "", "parameters")[0]),
                    cell_of(judgements, of.experiment, self.metric, of.flow, of.model),
                    {name: summarize(values.whole(runs, test, name)) for name, runs in extra.items() if runs},
                )
                found.setdefault((of.experiment, of.flow), []).append(row)
        for at, rows in found.items():
            baselines = self.baselines(params, layout, *at)
            rows += [Row(*at, name, Summary(value, None, 0)) for name, value in baselines.items()]
        return [row for rows in found.values() for row in rows]

    def texts(
        self, params: Params, layout: Layout, rows: list[Row], values: Values, judgements: Iterable[Judgement]
    ) -> tuple[dict[str, str], str, list[str]]:
        """Its files by their names, one in each of `FORMATS`; its title, and the notes below it.

        Raises:
            FernnError: if a file of the data is missing or malformed.
        """
        about = self.about(params, layout, rows, values)
        title = f"{self.name.capitalize()[:-1]} {self.name[-1]}, scale {params.scale}: {about.title}"
        notes = [*about.notes, *self._sources(layout, rows, about.sources)]
        parts = [f"# {title}", about.warning, self._md(rows, about), *self._orders(rows, about, judgements)]
        parts += [about.search, "\n".join([self.reading, MARKS, VERDICT, *(f"- {note}" for note in notes)])]
        return (
            {
                f"{self.name}.csv": self._csv(rows, about),
                f"{self.name}.md": "\n\n".join(filter(None, parts)) + "\n",
                f"{self.name}.tex": self._tex(rows, about, f"Scale {params.scale}.{about.tex}", notes),
            },
            title,
            notes,
        )

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
        """What became of the paper's orders of the models, as paragraphs; none where we have no two of its figures."""
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
        """The rows for a paper; the note is below them, the source in comments."""
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
        """Our value and the paper's, for readers."""
        ours, paper, (our_decimals, their_decimals) = row.ours, row.paper, self.decimals
        theirs = "" if paper is None else self.number(paper.value, paper.std, their_decimals, latex) + paper.mark
        return self.number(ours.mean, ours.std, our_decimals, latex), theirs

    def _sources(self, layout: Layout, rows: list[Row], more: Sequence[Path]) -> list[str]:
        """The runs behind it, the learning rates that failed, and one digest of all files that it is made of."""
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
