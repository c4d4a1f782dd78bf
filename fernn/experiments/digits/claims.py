"""What predictors of flowing MNIST can be asked by claims."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from fernn.experiments.digits.params import digit_section
from fernn.flows.names import reach
from fernn.layout import Layout
from fernn.params import Params
from fernn.results.claims.evidence import LEARNING, SECONDS_PER_STEP, Evidence, Measure, NotMeasuredError, whole_test
from fernn.results.selection import Selection
from fernn.results.values import read_values, steps


def _long(params: Params, layout: Layout, selection: Selection) -> tuple[int, NDArray[np.float64]]:
    """The last step of training, and errors (runs, steps) by predicted step, which go beyond it."""
    data = digit_section(params, selection.experiment).data
    if data.length.predicted <= data.predicted:
        raise NotMeasuredError(
            f"{selection.experiment}.data.length.predicted is {data.length.predicted}, no more than the "
            f"{data.predicted} steps of training"
        )
    values = read_values(layout, selection.runs)
    return data.predicted, values.by_index(selection.runs, "length", "mse", steps(data.length.predicted))


def _horizon(params: Params, layout: Layout, selection: Selection, within: str | None) -> list[float]:
    horizon, errors = _long(params, layout, selection)
    return list(errors[:, horizon - 1].tolist())


def _last(params: Params, layout: Layout, selection: Selection, within: str | None) -> list[float]:
    return list(_long(params, layout, selection)[1][:, -1].tolist())


def _growth(params: Params, layout: Layout, selection: Selection, within: str | None) -> list[float]:
    horizon, errors = _long(params, layout, selection)
    return list((errors[:, -1] / errors[:, horizon - 1]).tolist())


MEASURES = {
    "test_mse": whole_test("mse", lambda selection: "test"),
    "horizon_mse": Measure(_horizon, lambda selection: "length"),  # at the last step that training had
    "last_mse": Measure(_last, lambda selection: "length"),  # at the last step of "length"
    "growth": Measure(_growth, lambda selection: "length"),  # the last one over the one at the horizon
    "learning": LEARNING,
    "seconds_per_step": SECONDS_PER_STEP,
}


def velocity_measures(speeds: Callable[[Params], dict[str, int]]) -> dict[str, Measure]:
    """What can be asked about velocities that training did not have, up to those of `within`.

    Args:
        speeds: by the index of each velocity of the grid, its speed: the k of the smallest V_k that holds it.
    """

    def unseen_mse(params: Params, layout: Layout, selection: Selection, within: str | None) -> list[float]:
        """The mean over them."""
        return [sum(unseen) / len(unseen) for _, unseen in split(params, layout, selection, within)]

    def unseen_ratio(params: Params, layout: Layout, selection: Selection, within: str | None) -> list[float]:
        """The worst of them over the mean of those that training had."""
        return [max(unseen) * len(seen) / sum(seen) for seen, unseen in split(params, layout, selection, within)]

    def split(
        params: Params, layout: Layout, selection: Selection, within: str | None
    ) -> list[tuple[list[float], list[float]]]:
        trained, grid = reach(selection.flow), speeds(params)
        furthest = reach(within) if within else max(grid.values())
        errors = read_values(layout, selection.runs).by_index(selection.runs, "velocity", "mse", list(grid))
        seen = [speed <= trained for speed in grid.values()]
        unseen = [trained < speed <= furthest for speed in grid.values()]
        if not any(seen) or not any(unseen):
            raise NotMeasuredError(
                f"{selection.experiment}.data.velocity has no velocity beyond those of {selection.flow}"
            )
        return [([*of[seen].tolist()], [*of[unseen].tolist()]) for of in errors]

    return {
        "unseen_mse": Measure(unseen_mse, lambda selection: "velocity"),
        "unseen_ratio": Measure(unseen_ratio, lambda selection: "velocity"),
    }


EVIDENCE = Evidence(code=__name__, measures=MEASURES)
