"""A table as data (csv), for reading (md) and for a paper (tex)."""

import csv
import io
from collections.abc import Iterable, Sequence

from tabulate import tabulate

from fernn.results.tables.published import LIMIT, Claim
from fernn.results.tables.table import Row, Table, names, numbers, ranking

MARKS = """\
(?) marks a figure of the paper that was taken from a secondary source. A blank is a figure that we do not have.
"""
VERDICT = f"""\
Verdict: at scale paper, z = (mean - paper) / √(std² / n + paper std²); the paper's deviation is taken whole, as of
one run: only for Table 2 does it say how many stand behind it (three seeds). |z| ≤ {LIMIT:g}: agrees; beyond
that, better or worse. Other scales have other sizes, so their figures are not compared with the paper's.
"""
ORDER = """\
Order: of the models that have a figure of the paper, by these figures. Holds where our means differ by more than both
deviations together; not separated, by less; else reversed.
"""
NOTE = r"(?) from a secondary source. $\pm$ is the sample standard deviation over $n$ seeds."


def as_csv(header: Sequence[str], lines: Iterable[Sequence[object]]) -> str:
    """Lines of values under a header."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(lines)
    return text.getvalue()


def table_csv(table: Table, rows: list[Row], more: dict[str, str] | None = None) -> str:
    """A table in long form; `more` are columns that have one value in all rows.

    What was measured over the middle of the frames alone is a metric of its own, which is not compared.
    """
    header = ["experiment", "model", "flow", "metric", "mean", "std", "n"]
    header += ["paper_value", "paper_std", "source", "z", "verdict", "learning_rate", "parameters", *(more or {})]
    lines = []
    for row in rows:
        ours, paper = row.ours, row.paper
        source = paper.source + (", from a secondary source (?)" if paper.secondary else "")
        of = [row.experiment, row.model, row.flow]
        line: list[object] = [*of, table.metric, ours.mean, ours.std, ours.n]
        line += [paper.value, paper.std, source, row.verdict.z, row.verdict.text, row.rate, row.parameters]
        lines.append([*line, *(more or {}).values()])
        if inner := row.central:
            line = [*of, f"{table.metric}_central", inner.mean, inner.std, inner.n, *[""] * 5, row.rate, row.parameters]
            lines.append([*line, *(more or {}).values()])
    return as_csv(header, lines)


def table_md(table: Table, rows: list[Row]) -> str:
    """The rows for reading."""
    header = ["Data", "Model", "Parameters", "Flow", table.heading, "n", "Learning rate", "Paper", "Verdict"]
    return pipes(header, (_cells(table, row) for row in rows))


def pipes(header: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """A table of markdown."""
    return tabulate(list(lines), header, tablefmt="pipe", disable_numparse=True)


def order_md(table: Table, rows: list[Row]) -> list[str]:
    """What became of the paper's order of the models, as paragraphs; none where we have no two of its figures."""
    side = "below" if table.lower else "above"
    lines = [
        f"- {table.data[experiment]}, {flow}: {claim.better} {side} {claim.worse}: **{claim.verdict}**{_apart(claim)}"
        for (experiment, flow), found in ranking(table, rows).items()
        for claim in found
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
    z = "" if row.verdict.z is None else f" (z = {row.verdict.z:+.2f})"
    rate = "" if row.rate is None else f"{row.rate:g}"
    cells = [table.data[row.experiment], row.model, _count(row), row.flow, ours, str(row.ours.n or ""), rate]
    return [*cells, paper, row.verdict.text + z]


def _count(row: Row) -> str:
    return "" if row.parameters is None else f"{row.parameters:,}"


def _apart(claim: Claim) -> str:
    deviations = "" if claim.deviations is None else f", the deviations add up to {claim.deviations:.2e}"
    return f" (the means differ by {claim.gap:.2e}{deviations})"
