"""The tables, as data (csv), for reading (md) and for a paper (tex)."""

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path

from tabulate import tabulate

from fernn.files import sha256, write_text
from fernn.params import Params
from fernn.provenance import identity
from fernn.results.names import math_name, plus_minus
from fernn.results.plan import table_names
from fernn.results.published import LIMIT, Claim
from fernn.results.selection import Selection, select
from fernn.results.table1 import Row, ranking, rows
from fernn.runs import Layout

READING = f"""\
± is the sample standard deviation over seeds. Each model stands with its learning rate of the lowest validation loss
(mean over seeds of the best epoch's); selection.csv has all that were tried. Flow: of the training and test data.

(?) marks a figure of the paper that was taken from a secondary source. A blank is a figure that we do not have.

Verdict: at scale paper, z = (mean - paper) / √(std² / n + paper std²); the paper's deviation is taken whole, since it
does not say how many runs stand behind it. |z| ≤ {LIMIT:g}: agrees; beyond that, better or worse. Other scales have
other sizes, so their errors are not compared with the paper's.

Order: holds where the means differ by more than both deviations together; not separated, by less; else reversed.
"""
NOTE = r"(?) from a secondary source. $\pm$ is the sample standard deviation over $n$ seeds."


def write_tables(params: Params, layout: Layout) -> list[Path]:
    """Write the tables of the chosen experiments; the same inputs give the same bytes.

    Returns:
        The files, in the order of `fernn.results.plan.table_names`.

    Raises:
        FernnError: if a file of a run that params.yaml names is missing or malformed; others are not read.
    """
    selections = select(params, layout)
    texts = {"selection.csv": _selection_csv(selections)}
    table = rows(params, layout, selections)
    source = _source(params, layout, table)
    texts["table1.csv"] = _table1_csv(table)
    texts["table1.md"] = _table1_md(params, table, source)
    texts["table1.tex"] = _table1_tex(params, table, source)
    for name in table_names(params):
        write_text(layout.table(name), texts[name])
    return [layout.table(name) for name in table_names(params)]


def _selection_csv(selections: list[Selection]) -> str:
    header = ["experiment", "model", "flow", "learning_rate", "best_validation_loss", "std", "n", "chosen"]
    return _csv(
        header,
        (
            [
                s.experiment,
                s.model,
                s.flow,
                c.learning_rate,
                c.score.mean,
                c.score.std,
                c.score.n,
                "yes" if c is s.chosen else "no",
            ]
            for s in selections
            for c in s.candidates
        ),
    )


def _table1_csv(table: list[Row]) -> str:
    header = ["experiment", "model", "flow", "metric", "mean", "std", "n"]
    header += ["paper_value", "paper_std", "source", "z", "verdict", "learning_rate"]
    lines = []
    for row in table:
        of, ours, paper = row.selection, row.ours, row.paper
        source = paper.source + (", from a secondary source (?)" if paper.secondary else "")
        line: list[object] = [of.experiment, of.model, of.flow, "test_mse", ours.mean, ours.std, ours.n]
        lines.append([*line, paper.value, paper.std, source, row.verdict.z, row.verdict.text, of.chosen.learning_rate])
    return _csv(header, lines)


def _table1_md(params: Params, table: list[Row], source: list[str]) -> str:
    header = ["Experiment", "Model", "Flow", "Test MSE", "n", "Paper", "Verdict"]
    body = tabulate([_cells(row) for row in table], header, tablefmt="pipe", disable_numparse=True)
    order = [
        f"- {experiment}, {flow}: {claim.better} below {claim.worse}: **{claim.verdict}**{_apart(claim)}"
        for (experiment, flow), found in ranking(table).items()
        for claim in found
    ]
    parts = [f"# Table 1, scale {params.scale}: test MSE on flowing MNIST", body]
    if order:
        parts += ["The paper's order of the models:", "\n".join(order)]
    return "\n\n".join([*parts, READING + "\n" + "\n".join(f"- {line}" for line in source)]) + "\n"


def _table1_tex(params: Params, table: list[Row], source: list[str]) -> str:
    lines = [f"% {line}" for line in source]
    lines += [r"\begin{tabular}{llccc}", r"\toprule", r"Flow & Model & Test MSE & $n$ & Paper \\"]
    before = None
    for row in table:
        of = row.selection
        if (of.experiment, of.flow) != before:
            lines.append(r"\midrule")
        before = (of.experiment, of.flow)
        flow = f"{of.experiment.capitalize()}, {math_name(of.flow)}"
        ours, paper = _figures(row, latex=True)
        model = math_name(of.model.replace("_", r"\_"))
        lines.append(rf"{flow} & {model} & {ours} & {row.ours.n} & {paper} \\")
    lines += [
        r"\bottomrule",
        rf"\multicolumn{{5}}{{l}}{{\footnotesize Scale {params.scale}. {NOTE}}}",
        r"\end{tabular}",
    ]
    return "\n".join(lines) + "\n"


def _apart(claim: Claim) -> str:
    deviations = "" if claim.deviations is None else f", the deviations add up to {claim.deviations:.2e}"
    return f" (the means differ by {claim.gap:.2e}{deviations})"


def _cells(row: Row) -> list[str]:
    ours, paper = _figures(row)
    of, verdict = row.selection, row.verdict
    z = "" if verdict.z is None else f" (z = {verdict.z:+.2f})"
    return [of.experiment, of.model, of.flow, ours, str(row.ours.n), paper, verdict.text + z]


def _figures(row: Row, latex: bool = False) -> tuple[str, str]:
    ours, paper = row.ours, row.paper
    theirs = "" if paper.value is None else plus_minus(paper.value, paper.std, 1, latex) + paper.mark
    return plus_minus(ours.mean, ours.std, 2, latex), theirs


def _source(params: Params, layout: Layout, table: list[Row]) -> list[str]:
    """What the table was made of: the scale's sizes, the runs, one digest of all their files."""
    lines = []
    for experiment in dict.fromkeys(row.selection.experiment for row in table):
        section = getattr(params, experiment)
        data, training = section.data, section.training
        lines.append(
            f"Scale {params.scale}, {experiment}: frames of {data.frame}x{data.frame}, {data.seen} seen and "
            f"{data.predicted} predicted; {training.epochs} epochs of {data.train} sequences; {data.test} to test"
        )
    files = []
    for row in table:
        runs = row.selection.runs
        lines.append(f"Runs {runs[0].group}, seeds {', '.join(str(run.seed) for run in runs)}")
        files += [layout.evaluation(run.id, "evaluation.json") for run in runs]
        files += [layout.run(run.id, "metrics.csv") for tried in row.selection.candidates for run in tried.runs]
    digests = {path.relative_to(layout.base).as_posix(): sha256(path) for path in files}
    lines.append(
        f"Digest of their evaluation.json and metrics.csv, with those of all learning rates: {identity(digests)}"
    )
    return lines


def _csv(header: Sequence[str], lines: Iterable[Sequence[object]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(lines)
    return text.getvalue()
