"""The tables stage: the paper's tables, the judged claims, the search for learning rates, and what the runs cost."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from fernn.files import write_json, write_text
from fernn.layout import CLAIMS, COST, NOTES, Layout
from fernn.params import Params
from fernn.results.claims.judge import judge
from fernn.results.claims.text import claims_csv, claims_md
from fernn.results.selection import Selection, summarize
from fernn.results.tables.table import FORMATS, Row, Table
from fernn.results.text import as_csv, fixed, pipes
from fernn.results.values import Values, machine, read_training, read_values, seconds_per_step

if TYPE_CHECKING:
    from fernn.experiment import Experiment

SELECTION = "selection.csv"
COST_COLUMNS = ("experiment", "model", "flow", "parameters", "step_seconds", "std", "n", "steps", "hours", "device")
COST_HEADS = ("Data", "Model", "Parameters", "Flow", "Step (ms)", "n", "Steps", "Hours", "Trained on")
COST_READING = """\
A step: a batch forward and backward, clipping and Adam, and its share of the validations. ± is the sample standard
deviation over the n runs of all seeds and learning rates; hours are those of all of them, and of all GPUs that shared
one, added up. What else the machine did at that time is in it.
"""


def tables_of(params: Params, experiments: "Iterable[Experiment[Any]]") -> dict[Table, list[str]]:
    """The tables of the paper that have rows by params.yaml, each with the experiments that name it."""
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
    """Experiment, flow and model of every model that has a row in a table."""
    runs = (run for table, names in tables_of(params, experiments).items() for run in table.runs(params, names))
    return list(dict.fromkeys((run.experiment, run.flow, run.model) for run in runs))


def write_tables(
    params: Params, layout: Layout, experiments: "Sequence[Experiment[Any]]", selections: Sequence[Selection]
) -> None:
    """Write the tables of experiments, the judged claims, and the tables' values for machines.

    The same inputs give the same bytes, but for the times in the table of cost and in the claims about them.

    Raises:
        FernnError: if a file of a run that params.yaml names, or of the videos, is missing or malformed; others are
            not read.
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
    """The means of a row and their deviations."""
    found = {table.metric: row.ours, **{f"test_{name}": extra for name, extra in row.extra.items()}}
    deviations = {f"{name}_std": of.std for name, of in found.items() if of.std is not None}
    return {name: of.mean for name, of in found.items()} | deviations


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


def _cost(scale: str, layout: Layout, selections: Iterable[Selection], values: Values) -> dict[str, str]:
    """Parameters, and the time of a training step by the records of runs: blank where a record has no time.

    Times are those of the machine that trained, so these files, unlike all other tables, are not the same bytes
    elsewhere.
    """
    rows, lines = [], []
    for of in selections:
        records = [read_training(layout, run) for tried in of.candidates for run in tried.runs]
        parameters = int(values.whole(of.runs[:1], "", "parameters")[0])
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
