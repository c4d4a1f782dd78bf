"""Table 1 of the paper: test MSE of the flowing MNIST experiments."""

from fernn.experiments.digits.forecasts import read_trivial_errors, trivial_file, trivial_files
from fernn.experiments.digits.params import digit_section
from fernn.layout import Layout
from fernn.params import Params
from fernn.results.tables.table import About, Row, Table
from fernn.results.text import plus_minus
from fernn.results.values import Values

CENTRAL = "mse_central"  # a rim that is mostly black makes the mean over a frame small
READING = """\
± is the sample standard deviation over seeds. Each model stands with its learning rate of the lowest validation loss
(mean over seeds of the best epoch's); selection.csv has all that were tried. Flow: of the training and test data.
Rows without n are forecasts that need no training. Mean brightness: of each sequence over its seen frames. Last frame:
the last seen one, repeated. True velocity: each digit's own picture in that frame, moved on as it truly moves, which a
model has to infer.
"""


def _baselines(params: Params, layout: Layout, experiment: str, flow: str) -> dict[str, float]:
    steps = digit_section(params, experiment).data.predicted
    errors = read_trivial_errors(layout, experiment, "test", flow, steps)
    return {name: float(of.mean()) for name, of in errors.items()}


def _about(params: Params, layout: Layout, rows: list[Row], values: Values) -> About:
    notes = []
    for experiment in dict.fromkeys(row.experiment for row in rows):
        section = digit_section(params, experiment)
        data, training = section.data, section.training
        notes.append(
            f"Scale {params.scale}, {experiment}: frames of {data.frame}x{data.frame}, {data.seen} seen and "
            f"{data.predicted} predicted; {training.epochs} epochs of {data.train} sequences; {data.test} to test"
        )
    for row in rows:
        if central := row.extra.get(CENTRAL):
            digit = digit_section(params, row.experiment).data.digit
            error = plus_minus(central.mean, central.std, TABLE1.decimals[0])
            over = f"over the central {digit}x{digit} pixels alone {error}; compared is the one over whole frames"
            notes.append(f"Test MSE of {row.experiment}, {row.flow}, {row.model} {over}")
    data_sets = dict.fromkeys((row.experiment, row.flow) for row in rows)
    sources = [trivial_file(layout, experiment, "test", flow) for experiment, flow in data_sets]
    return About("test MSE on flowing MNIST", notes, sources)


TABLE1 = Table(
    name="table1",
    metric="test_mse",
    heading="Test MSE",
    test=lambda run: "test",
    measure="mse",
    number=plus_minus,
    decimals=(2, 1),
    reading=READING,
    reads=trivial_files,
    about=_about,
    extra=(CENTRAL,),
    baselines=_baselines,
)
