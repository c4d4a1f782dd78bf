"""What can be asked of any training: how early its loss falls, and how long a step of it takes."""

import statistics

from fernn.layout import Layout
from fernn.params import Params
from fernn.results.claims.evidence import Measure, NotMeasuredError
from fernn.results.reading.records import read_training, seconds_per_step
from fernn.results.reading.runs import epoch_ends, read_metrics
from fernn.results.reading.selection import Selection
from fernn.runs import Run


def _learning(params: Params, layout: Layout, selection: Selection, within: str | None) -> list[float]:
    epochs = params.section(selection.experiment).training.epochs
    metrics = (epoch_ends(read_metrics(layout, run, epochs, "validation_loss")) for run in selection.runs)
    return [statistics.geometric_mean(of["validation_loss"]) for of in metrics]


def _seconds(params: Params, layout: Layout, selection: Selection, within: str | None) -> list[float]:
    return [_pace(layout, run) for run in selection.runs]


def _pace(layout: Layout, run: Run) -> float:
    seconds = seconds_per_step(read_training(layout, run))
    if seconds is None:
        raise NotMeasuredError(f"the record of {run.id} tells no time")
    return seconds


# of two trainings of as many epochs, the one whose loss falls earlier, or deeper, has the lower mean
LEARNING = Measure(_learning)
# of the optimizer; the validation of each epoch is among them, as a small and equal share
SECONDS_PER_STEP = Measure(_seconds, timed=True)
