"""The tables, made and written."""

import csv
from collections.abc import Iterable, Sequence
from typing import Protocol

from fernn.files import write_json, write_text
from fernn.layout import CLAIMS, COST, Layout
from fernn.params import Params
from fernn.results.claims.judge import Judged, judge
from fernn.results.claims.text import claims_csv, claims_md
from fernn.results.plain import as_csv
from fernn.results.reading.selection import Selection
from fernn.results.tables.cost import cost_texts
from fernn.results.tables.table import FORMATS, PaperTable


class Tabulated(Judged, Protocol):
    """An experiment, as far as tables ask."""

    table: PaperTable


def tables_of(params: Params, experiments: Iterable[Tabulated]) -> dict[PaperTable, list[str]]:
    """The tables that params.yaml allows for, each with the experiments that stand in it."""
    found: dict[PaperTable, list[str]] = {}
    for experiment in experiments:
        found.setdefault(experiment.table, []).append(experiment.name)
    there = {table: names for table, names in found.items() if table.is_there(params, names)}
    return dict(sorted(there.items(), key=lambda item: item[0].name))


def table_names(params: Params, experiments: Iterable[Tabulated]) -> list[str]:
    """The files of all tables."""
    tables = tables_of(params, experiments)
    return [*(f"{table.name}.{form}" for table in tables for form in FORMATS), "selection.csv", *CLAIMS, *COST]


def write_tables(
    params: Params, layout: Layout, experiments: Sequence[Tabulated], selections: Sequence[Selection]
) -> None:
    """Write the tables of experiments, the judged claims, and the tables' numbers for machines.

    The same inputs give the same bytes, but for the times in the table of cost and in the claims about them.

    Raises:
        FernnError: if a file of a run that params.yaml names, or of the videos, is missing or malformed; others are
            not read.
    """
    tables, judgements = tables_of(params, experiments), judge(params, layout, experiments, selections)
    texts = {"selection.csv": _selection_csv(selections)}
    texts |= dict(zip(CLAIMS, (claims_csv(judgements), claims_md(params, judgements)), strict=True))
    texts |= cost_texts(params.scale, layout, selections)
    for table, names in tables.items():
        texts |= table.texts(params, layout, names, selections, judgements)
    for name, text in texts.items():
        write_text(layout.table(name), text)
    numbers = _numbers([texts[f"{table.name}.csv"] for table in tables])
    for of in tabulated_models(params, experiments):
        write_json(layout.metrics(*of), numbers[of])


def tabulated_models(params: Params, experiments: Iterable[Tabulated]) -> list[tuple[str, str, str]]:
    """Experiment, flow and model of every model that has a row in a table."""
    runs = (run for table, names in tables_of(params, experiments).items() for run in table.rows(params, names))
    return list(dict.fromkeys((run.experiment, run.flow, run.model) for run in runs))


def _numbers(tables: list[str]) -> dict[tuple[str, str, str], dict[str, float]]:
    """The means and deviations in tables in long form, by experiment, flow and model."""
    found: dict[tuple[str, str, str], dict[str, float]] = {}
    for row in (row for text in tables for row in csv.DictReader(text.splitlines())):
        of = found.setdefault((row["experiment"], row["flow"], row["model"]), {})
        of[row["metric"]] = float(row["mean"])
        if row["std"]:
            of[f"{row['metric']}_std"] = float(row["std"])
    return found


def _selection_csv(selections: Iterable[Selection]) -> str:
    """Every learning rate that was tried; mean and std are of the criterion, over seeds, and blank where it failed."""
    header = ["experiment", "model", "flow", "learning_rate", "criterion", "mean", "std", "n", "chosen", "failure"]
    lines = []
    for of in selections:
        for tried in of.candidates:
            mean, std = (tried.score.mean, tried.score.std) if tried.score else (None, None)
            chosen = "yes" if tried is of.chosen else "no"
            line = [of.experiment, of.model, of.flow, tried.learning_rate, of.criterion.name]
            lines.append([*line, mean, std, len(tried.runs), chosen, tried.failure])
    return as_csv(header, lines)
