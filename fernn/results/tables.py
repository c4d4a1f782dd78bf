"""The tables, made and written."""

import csv
from pathlib import Path
from typing import Any

from fernn.files import write_json, write_text
from fernn.params.schema import Params
from fernn.results.plan import table_names
from fernn.results.selection import Selection, select
from fernn.results.table1 import table1
from fernn.results.table2 import table2
from fernn.results.text import as_csv
from fernn.runs import Layout


def write_tables(params: Params, layout: Layout) -> list[Path]:
    """Write the tables of the chosen experiments, and their figures for machines; the same inputs give the same bytes.

    Returns:
        The tables, in the order of `fernn.results.plan.table_names`, and the file of the figures.

    Raises:
        FernnError: if a file of a run that params.yaml names, or of the videos, is missing or malformed; others are
            not read.
    """
    names = table_names(params)
    selections = select(params, layout)
    texts = {"selection.csv": _selection_csv(selections)}
    for table in (table1, table2):
        if f"{table.__name__}.csv" in names:
            texts |= table(params, layout, selections)
    for name in names:
        write_text(layout.table(name), texts[name])
    write_json(layout.metrics(), _metrics([texts[name] for name in ("table1.csv", "table2.csv") if name in names]))
    return [*(layout.table(name) for name in names), layout.metrics()]


def _metrics(tables: list[str]) -> dict[str, Any]:
    """The means and deviations of tables in long form, by experiment, flow, model and metric."""
    found: dict[str, Any] = {}
    for row in (row for text in tables for row in csv.DictReader(text.splitlines())):
        of = found.setdefault(row["experiment"], {}).setdefault(row["flow"], {}).setdefault(row["model"], {})
        of[row["metric"]] = {"mean": float(row["mean"]), **({"std": float(row["std"])} if row["std"] else {})}
    return found


def _selection_csv(selections: list[Selection]) -> str:
    """Every learning rate that was tried; mean and std are of the criterion, over seeds."""
    header = ["experiment", "model", "flow", "learning_rate", "criterion", "mean", "std", "n", "chosen"]
    lines = []
    for of in selections:
        for tried in of.candidates:
            score, chosen = tried.score, "yes" if tried is of.chosen else "no"
            line = [of.experiment, of.model, of.flow, tried.learning_rate, of.criterion.name]
            lines.append([*line, score.mean, score.std, score.n, chosen])
    return as_csv(header, lines)
