"""Table 1 of the paper: test MSE of the flowing MNIST experiments; what claims can ask of their predictors."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from fernn.experiments.digits.forecasts import read_trivial_errors, trivial_file, trivial_files
from fernn.experiments.digits.params import digit_section
from fernn.flows.names import reach
from fernn.layout import Layout
from fernn.params import Params
from fernn.results.claims.evidence import LEARNING, SECONDS_PER_STEP, Evidence, Measure, NotMeasuredError, whole_test
from fernn.results.selection import Selection
from fernn.results.tables import About, Row, Table
from fernn.results.text import plus_minus
from fernn.results.values import Values, read_values, steps

CENTRAL = "mse_central"  # a rim that is mostly black makes the mean over a frame small
READING = """\
± is the sample standard deviation over seeds. Each model stands with its learning rate of the lowest validation loss
(mean over seeds of the best epoch's); selection.csv has all that were tried. Flow: of the training and test data.
Rows without n are forecasts that need no training. Mean brightness: of each sequence over its seen frames. Last frame:
the last seen one, repeated. True velocity: each digit's own picture in that frame, moved on as it truly moves, which a
model has to infer.
"""


def _baselines(params: Params, layout: Layout, experiment: str, flow: str) -> dict[str, float]:
    predicted = digit_section(params, experiment).data.predicted
    errors = read_trivial_errors(layout, experiment, "test", flow, predicted)
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


def _long(of: Callable[[NDArray[np.float64], int], NDArray[np.float64]]) -> Measure:
    """A measure of the test of length: of errors (runs, steps) and the index of the last step that training had."""

    def read(params: Params, layout: Layout, selection: Selection, within: str | None) -> list[float]:
        data = digit_section(params, selection.experiment).data
        if data.length.predicted <= data.predicted:
            raise NotMeasuredError(
                f"{selection.experiment}.data.length.predicted is {data.length.predicted}, no more than the "
                f"{data.predicted} steps of training"
            )
        values = read_values(layout, selection.runs)
        errors = values.by_index(selection.runs, "length", "mse", steps(data.length.predicted))
        return list(of(errors, data.predicted - 1).tolist())

    return Measure(read, lambda selection: "length")


MEASURES = {
    "test_mse": whole_test("mse", lambda selection: "test"),
    "horizon_mse": _long(lambda errors, horizon: errors[:, horizon]),  # at the last step that training had
    "last_mse": _long(lambda errors, horizon: errors[:, -1]),  # at the last step of "length"
    "growth": _long(lambda errors, horizon: errors[:, -1] / errors[:, horizon]),
    "learning": LEARNING,
    "seconds_per_step": SECONDS_PER_STEP,
}
EVIDENCE = Evidence(code=__name__, measures=MEASURES)


def velocity_measures(speeds: Callable[[Params], dict[str, int]]) -> dict[str, Measure]:
    """Measures of the velocities that training did not have, up to those of the flow `within`.

    Args:
        speeds: by the index of each velocity of the grid, its speed: the k of the smallest V_k that holds it.
    """

    def measure(of: Callable[[list[float], list[float]], float]) -> Measure:
        """`of` gets the errors of a run at the velocities that training had, and at the others."""

        def read(params: Params, layout: Layout, selection: Selection, within: str | None) -> list[float]:
            trained, grid = reach(selection.flow), speeds(params)
            furthest = reach(within) if within else max(grid.values())
            errors = read_values(layout, selection.runs).by_index(selection.runs, "velocity", "mse", list(grid))
            seen = [speed <= trained for speed in grid.values()]
            unseen = [trained < speed <= furthest for speed in grid.values()]
            if not any(seen) or not any(unseen):
                raise NotMeasuredError(
                    f"{selection.experiment}.data.velocity has no velocity beyond those of {selection.flow}"
                )
            return [of([*run[seen].tolist()], [*run[unseen].tolist()]) for run in errors]

        return Measure(read, lambda selection: "velocity")

    return {
        "unseen_mse": measure(lambda seen, unseen: sum(unseen) / len(unseen)),
        "unseen_ratio": measure(lambda seen, unseen: max(unseen) * len(seen) / sum(seen)),  # the worst over the mean
    }
