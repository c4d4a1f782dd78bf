"""What predictors of flowing MNIST can be asked by claims."""

from collections.abc import Callable, Iterable

from fernn.experiments.digits.forecasts import read_step_errors
from fernn.experiments.digits.params import digit_section
from fernn.flows.names import reach
from fernn.layout import Layout
from fernn.params import Params
from fernn.results.claims.evidence import Evidence, Measure, NotMeasuredError
from fernn.results.claims.measures import LEARNING, SECONDS_PER_STEP
from fernn.results.reading.selection import Selection
from fernn.runs import Run

# a run's error at each velocity, with the speed: the k of the smallest V_k that holds the velocity
Speeds = Callable[[Params, Layout, Run], Iterable[tuple[int, float]]]


def _test(params: Params, layout: Layout, selection: Selection, within: str | None) -> list[float]:
    steps = digit_section(params, selection.experiment).data.predicted
    return [read_step_errors(layout, run, "test", steps).mse for run in selection.runs]


def _horizon(params: Params, layout: Layout, selection: Selection, within: str | None) -> list[float]:
    step = digit_section(params, selection.experiment).data.predicted
    return [errors[step - 1] for errors in _long(params, layout, selection)]


def _last(params: Params, layout: Layout, selection: Selection, within: str | None) -> list[float]:
    return [errors[-1] for errors in _long(params, layout, selection)]


def _growth(params: Params, layout: Layout, selection: Selection, within: str | None) -> list[float]:
    step = digit_section(params, selection.experiment).data.predicted
    return [errors[-1] / errors[step - 1] for errors in _long(params, layout, selection)]


def _long(params: Params, layout: Layout, selection: Selection) -> list[list[float]]:
    """Errors by predicted step, beyond those of training."""
    data = digit_section(params, selection.experiment).data
    if data.length.predicted <= data.predicted:
        raise NotMeasuredError(
            f"{selection.experiment}.data.length.predicted is {data.length.predicted}, no more than the "
            f"{data.predicted} steps of training"
        )
    return [read_step_errors(layout, run, "length", data.length.predicted).mean for run in selection.runs]


MEASURES = {
    "test_mse": Measure(_test, lambda selection: "test"),
    "horizon_mse": Measure(_horizon, lambda selection: "length"),  # at the last step that training had
    "last_mse": Measure(_last, lambda selection: "length"),  # at the last step of "length"
    "growth": Measure(_growth, lambda selection: "length"),  # the last one over the one at the horizon
    "learning": LEARNING,
    "seconds_per_step": SECONDS_PER_STEP,
}


def velocity_measures(speeds: Speeds) -> dict[str, Measure]:
    """What can be asked about velocities that training did not have, up to those of `within`."""

    def unseen_mse(params: Params, layout: Layout, selection: Selection, within: str | None) -> list[float]:
        """The mean over them."""
        return [sum(unseen) / len(unseen) for _, unseen in split(params, layout, selection, within)]

    def unseen_ratio(params: Params, layout: Layout, selection: Selection, within: str | None) -> list[float]:
        """The worst of them over the mean of those that training had."""
        return [max(unseen) * len(seen) / sum(seen) for seen, unseen in split(params, layout, selection, within)]

    def split(
        params: Params, layout: Layout, selection: Selection, within: str | None
    ) -> list[tuple[list[float], list[float]]]:
        trained, found = reach(selection.flow), []
        for run in selection.runs:
            errors = list(speeds(params, layout, run))
            furthest = reach(within) if within else max(speed for speed, _ in errors)
            seen = [error for speed, error in errors if speed <= trained]
            unseen = [error for speed, error in errors if trained < speed <= furthest]
            if not seen or not unseen:
                raise NotMeasuredError(f"{run.experiment}.data.velocity has no velocity beyond those of {run.flow}")
            found.append((seen, unseen))
        return found

    return {
        "unseen_mse": Measure(unseen_mse, lambda selection: "velocity"),
        "unseen_ratio": Measure(unseen_ratio, lambda selection: "velocity"),
    }


EVIDENCE = Evidence(code=__name__, measures=MEASURES)
