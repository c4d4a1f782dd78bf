"""Table 1 of the paper: test MSE of the flowing MNIST experiments."""

from fernn.params.schema import Params
from fernn.results.forecasts import read_step_errors
from fernn.results.names import plus_minus
from fernn.results.plan import TABLE1
from fernn.results.rows import Row, Table, make_row, sources
from fernn.results.selection import Selection
from fernn.results.text import MARKS, ORDER, VERDICT, order_md, table_csv, table_md, table_tex
from fernn.runs import Layout, evaluations_of

TABLE = Table("table1", "test_mse", "Test MSE", plus_minus, (2, 1), {name: name for name in TABLE1})
READING = """\
± is the sample standard deviation over seeds. Each model stands with its learning rate of the lowest validation loss
(mean over seeds of the best epoch's); selection.csv has all that were tried. Flow: of the training and test data.
"""


def table1(params: Params, layout: Layout, selections: list[Selection]) -> dict[str, str]:
    """The texts of its files, by their names.

    Raises:
        FernnError: if the evaluation.json of a run is missing or malformed.
    """
    rows = _rows(params, layout, selections)
    source = [*_sizes(params, rows), *sources(layout, rows)]
    title = f"# Table 1, scale {params.scale}: test MSE on flowing MNIST"
    reading = "\n".join([READING, MARKS, VERDICT, ORDER, *(f"- {line}" for line in source)])
    return {
        "table1.csv": table_csv(TABLE, rows),
        "table1.md": "\n\n".join([title, table_md(TABLE, rows), *order_md(TABLE, rows), reading]) + "\n",
        "table1.tex": table_tex(TABLE, rows, f"Scale {params.scale}.", source),
    }


def _rows(params: Params, layout: Layout, selections: list[Selection]) -> list[Row]:
    """One row for each selection of these experiments whose test error is measured, in the order of params.yaml."""
    found = []
    for selection in selections:
        if selection.experiment in TABLE1 and "test" in evaluations_of(params, selection.runs[0]):
            steps = getattr(params, selection.experiment).data.predicted
            errors = [read_step_errors(layout, run, "test", steps).mse for run in selection.runs]
            found.append(make_row(params, TABLE, selection, errors))
    return found


def _sizes(params: Params, rows: list[Row]) -> list[str]:
    lines = []
    for experiment in dict.fromkeys(row.selection.experiment for row in rows):
        section = getattr(params, experiment)
        data, training = section.data, section.training
        lines.append(
            f"Scale {params.scale}, {experiment}: frames of {data.frame}x{data.frame}, {data.seen} seen and "
            f"{data.predicted} predicted; {training.epochs} epochs of {data.train} sequences; {data.test} to test"
        )
    return lines
