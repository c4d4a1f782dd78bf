"""A table as data (csv), for reading (md) and for a paper (tex)."""

from collections.abc import Iterable

from fernn.results.claims.claim import Cell
from fernn.results.claims.judgement import Judgement
from fernn.results.claims.text import tested, why
from fernn.results.plain import as_csv, pipes
from fernn.results.tables.table import Row, Table, names, numbers, orders

MARKS = """\
(?) marks a figure of the paper that was taken from a secondary source. A blank is a figure that we do not have.
"""
VERDICT = """\
Verdict: whether the paper's figure, and its order of the models that have one, is reproduced; claims.md says how that
is judged, and why. Not run: these results cannot tell, such as those of a scale of other sizes.
"""
NOTE = r"(?) from a secondary source. $\pm$ is the sample standard deviation over $n$ seeds."


def table_csv(table: Table, rows: list[Row], more: dict[str, str] | None = None) -> str:
    """A table in long form; `more` are columns that have one value in all rows.

    What was measured over the middle of the frames alone is a metric of its own, which is not compared.
    """
    header = ["experiment", "model", "flow", "metric", "mean", "std", "n"]
    header += ["paper_value", "paper_std", "source", "verdict", "learning_rate", "parameters", *(more or {})]
    lines = []
    for row in rows:
        ours, paper = row.ours, row.paper
        value, std, source = ("", "", "") if paper is None else (paper.value, paper.std, paper.source + _mark(paper))
        of = [row.experiment, row.model, row.flow]
        line: list[object] = [*of, table.metric, ours.mean, ours.std, ours.n]
        line += [value, std, source, row.verdict, row.rate, row.parameters]
        lines.append([*line, *(more or {}).values()])
        if inner := row.central:
            line = [*of, f"{table.metric}_central", inner.mean, inner.std, inner.n, *[""] * 4, row.rate, row.parameters]
            lines.append([*line, *(more or {}).values()])
    return as_csv(header, lines)


def table_md(table: Table, rows: list[Row]) -> str:
    """The rows for reading."""
    header = ["Data", "Model", "Parameters", "Flow", table.heading, "n", "Learning rate", "Paper", "Verdict"]
    return pipes(header, (_cells(table, row) for row in rows))


def order_md(table: Table, judgements: Iterable[Judgement]) -> list[str]:
    """What became of the paper's order of the models, as paragraphs; none where we have no two of its figures."""
    lines = [
        f"- {table.data[each.claim.experiment]}, {each.claim.asks[0].flow}: {each.claim.text}: "
        f"**{each.verdict.value}** ({_apart(each)})"
        for each in orders(table, judgements)
    ]
    return ["The paper's order of the models that have its figure:", "\n".join(lines)] if lines else []


def table_tex(table: Table, rows: list[Row], note: str, source: list[str]) -> str:
    """The rows for a paper; the note stands below them, the source in comments."""
    lines = [f"% {line}" for line in source]
    lines += [r"\begin{tabular}{llrccc}", r"\toprule", rf"Flow & Model & Parameters & {table.heading} & $n$ & Paper \\"]
    before = None
    for row in rows:
        flow, model = names(table, row)
        if flow != before:
            lines.append(r"\midrule")
        before = flow
        ours, paper = numbers(table, row, latex=True)
        lines.append(rf"{flow} & {model} & {_count(row)} & {ours} & {row.ours.n or ''} & {paper} \\")
    lines += [
        r"\bottomrule",
        rf"\multicolumn{{6}}{{l}}{{\footnotesize {note} {NOTE}}}",
        r"\end{tabular}",
    ]
    return "\n".join(lines) + "\n"


def _cells(table: Table, row: Row) -> list[str]:
    ours, paper = numbers(table, row)
    rate = "" if row.rate is None else f"{row.rate:g}"
    cells = [table.data[row.experiment], row.model, _count(row), row.flow, ours, str(row.ours.n or ""), rate]
    return [*cells, paper, row.verdict]


def _count(row: Row) -> str:
    return "" if row.parameters is None else f"{row.parameters:,}"


def _mark(paper: Cell) -> str:
    return ", from a secondary source (?)" if paper.secondary else ""


def _apart(judgement: Judgement) -> str:
    return f"{tested(judgement)}; {why(judgement)}" if judgement.found else why(judgement)
