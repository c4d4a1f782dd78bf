"""Table 1 of the paper: test MSE of the flowing MNIST experiments."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from fernn.experiments.digits.forecasts import read_step_errors, read_trivial_errors, trivial_file, trivial_files
from fernn.experiments.digits.params import digit_section
from fernn.layout import Layout
from fernn.params import Params
from fernn.results.claims.judgement import Judgement
from fernn.results.names import plus_minus
from fernn.results.reading.selection import Selection
from fernn.results.reading.summary import Summary, summarize
from fernn.results.tables.table import Row, Table, make_row, sources
from fernn.results.tables.text import MARKS, VERDICT, order_md, table_csv, table_md, table_tex
from fernn.runs import Run, evaluations_of, runs_of

READING = """\
± is the sample standard deviation over seeds. Each model stands with its learning rate of the lowest validation loss
(mean over seeds of the best epoch's); selection.csv has all that were tried. Flow: of the training and test data.
Rows without n are forecasts that need no training. Mean brightness: of each sequence over its seen frames. Last frame:
the last seen one, repeated. True velocity: each digit's own picture in that frame, moved on as it truly moves, which a
model has to infer.
"""


@dataclass(frozen=True)
class Table1:
    """The table of all experiments with flowing digits. A `PaperTable`."""

    name: str = "table1"

    def is_there(self, params: Params, experiments: Sequence[str]) -> bool:
        """Always."""
        return True

    def rows(self, params: Params, experiments: Sequence[str]) -> list[Run]:
        """Those whose test error is measured."""
        return [run for name in experiments for run in runs_of(params, name) if "test" in evaluations_of(params, run)]

    def reads(self, params: Params, layout: Layout, experiments: Sequence[str]) -> list[Path]:
        """The errors of trivial forecasts of all that is measured."""
        return trivial_files(params, layout, experiments)

    def texts(
        self,
        params: Params,
        layout: Layout,
        experiments: Sequence[str],
        selections: Sequence[Selection],
        judgements: Sequence[Judgement],
    ) -> dict[str, str]:
        """Its files, by their names.

        Raises:
            FernnError: if the results.csv of a run is missing or malformed.
        """
        table = Table(self.name, "test_mse", "Test MSE", plus_minus, (2, 1), {name: name for name in experiments})
        rows = _rows(params, layout, table, selections, judgements)
        data = dict.fromkeys((row.experiment, row.flow) for row in rows)
        trivial = [trivial_file(layout, experiment, "test", flow) for experiment, flow in data]
        source = [*_sizes(params, rows), *_central(params, table, rows), *sources(layout, rows, trivial)]
        title = f"# Table 1, scale {params.scale}: test MSE on flowing MNIST"
        reading = "\n".join([READING, MARKS, VERDICT, *(f"- {line}" for line in source)])
        return {
            "table1.csv": table_csv(table, rows),
            "table1.md": "\n\n".join([title, table_md(table, rows), *order_md(table, judgements), reading]) + "\n",
            "table1.tex": table_tex(table, rows, f"Scale {params.scale}.", source),
        }


TABLE1 = Table1()


def _rows(
    params: Params,
    layout: Layout,
    table: Table,
    selections: Sequence[Selection],
    judgements: Sequence[Judgement],
) -> list[Row]:
    """One row for each selection of these experiments whose test error is measured, in the order of params.yaml.

    Below those of a data set, its trivial forecasts.
    """
    found: dict[tuple[str, str], list[Row]] = {}
    for selection in selections:
        if selection.experiment in table.data and "test" in evaluations_of(params, selection.runs[0]):
            steps = digit_section(params, selection.experiment).data.predicted
            errors = [read_step_errors(layout, run, "test", steps) for run in selection.runs]
            row = make_row(layout, table, selection, (each.mse for each in errors), judgements)
            if central := [each.central for each in errors if each.central is not None]:
                row = replace(row, central=summarize(central))
            found.setdefault((row.experiment, row.flow), []).append(row)
    for (experiment, flow), rows in found.items():
        steps = digit_section(params, experiment).data.predicted
        trivial = read_trivial_errors(layout, experiment, "test", flow, steps)
        rows += [
            Row(experiment, flow, name, Summary(float(errors.mean()), None, 0)) for name, errors in trivial.items()
        ]
    return [row for rows in found.values() for row in rows]


def _central(params: Params, table: Table, rows: list[Row]) -> list[str]:
    """The errors where digits are: a rim that is mostly black makes the mean over a frame small."""
    lines = []
    for row in rows:
        if row.central:
            digit = digit_section(params, row.experiment).data.digit
            error = table.number(row.central.mean, row.central.std, table.decimals[0], False)
            over = f"over the central {digit}x{digit} pixels alone {error}; compared is the one over whole frames"
            lines.append(f"Test MSE of {row.experiment}, {row.flow}, {row.model} {over}")
    return lines


def _sizes(params: Params, rows: list[Row]) -> list[str]:
    lines = []
    for experiment in dict.fromkeys(row.experiment for row in rows):
        section = digit_section(params, experiment)
        data, training = section.data, section.training
        lines.append(
            f"Scale {params.scale}, {experiment}: frames of {data.frame}x{data.frame}, {data.seen} seen and "
            f"{data.predicted} predicted; {training.epochs} epochs of {data.train} sequences; {data.test} to test"
        )
    return lines
