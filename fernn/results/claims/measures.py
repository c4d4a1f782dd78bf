"""What can be asked of any training: how early its loss falls, and how long a step of it takes."""

import statistics
from typing import Any

from fernn.layout import RECORD, Layout
from fernn.params import Params
from fernn.provenance.records import Record, read_record
from fernn.results.claims.evidence import Measure, NotMeasuredError
from fernn.results.reading.runs import broken, read_metrics
from fernn.results.reading.selection import Selection
from fernn.runs import Run


def read_training(layout: Layout, run: Run) -> Record:
    """The record of a training.

    Raises:
        FernnError: if there is none, or it is damaged.
    """
    path = layout.run(run.id, RECORD)
    record = read_record(path)
    if record is None:
        raise broken(path, "it is missing", layout, run, "train")
    return record


def hardware(layout: Layout, run: Run) -> str:
    """What a run was trained on: the GPU, or the processor."""
    return str(read_training(layout, run).environment.get("device", "unknown"))


def _learning(params: Params, layout: Layout, selection: Selection, within: str | None) -> list[float]:
    epochs = params.section(selection.experiment).training.epochs
    losses = (read_metrics(layout, run, epochs, "validation_loss")["validation_loss"] for run in selection.runs)
    return [statistics.geometric_mean(of) for of in losses]


def _seconds(params: Params, layout: Layout, selection: Selection, within: str | None) -> list[float]:
    return [_pace(run, read_training(layout, run).details) for run in selection.runs]


def _pace(run: Run, details: dict[str, Any]) -> float:
    steps, seconds = details.get("steps"), details.get("seconds")
    if not steps or not seconds:
        raise NotMeasuredError(f"the record of {run.id} tells no time")
    return float(seconds / steps)


# of two trainings of as many epochs, the one whose loss falls earlier, or deeper, has the lower mean
LEARNING = Measure(_learning)
# of the optimizer; the validation of each epoch is among them, as a small and equal share
SECONDS_PER_STEP = Measure(_seconds, timed=True)
