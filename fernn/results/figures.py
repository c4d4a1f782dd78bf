"""The figures, drawn and written."""

from pathlib import Path

import matplotlib

from fernn.params.schema import Params
from fernn.results.clips import clips
from fernn.results.confusion import confusion
from fernn.results.curves import length_generalization, validation_accuracy, validation_loss
from fernn.results.figure5 import figure5
from fernn.results.plan import figure_names, plans
from fernn.results.predictions import predictions
from fernn.results.selection import select
from fernn.results.style import look, save
from fernn.results.velocities import velocity_generalization
from fernn.runs import Layout

DRAW = {
    "predictions": predictions,
    "validation_loss": validation_loss,
    "length_generalization": length_generalization,
    "velocity_generalization": velocity_generalization,
    "validation_accuracy": validation_accuracy,
    "confusion": confusion,
    "clips": clips,
    "figure5": figure5,
}


def write_figures(params: Params, layout: Layout) -> list[Path]:
    """Draw the figures of the chosen experiments; the same inputs give the same bytes.

    Returns:
        The files, in the order of `fernn.results.plan.figure_names`.

    Raises:
        FernnError: if a file of a run that params.yaml names, or of the videos, is missing or malformed; others are
            not read.
    """
    selections = {(s.experiment, s.flow, s.model): s for s in select(params, layout)}
    with matplotlib.rc_context():
        look()
        for plan in plans(params):
            shown = [selections[plan.experiment, flow, model] for flow, model in plan.shown]
            figure = DRAW[plan.kind](params, layout, shown)
            for name in plan.names:
                save(figure, layout.figure(name))
    return [layout.figure(name) for name in figure_names(params)]
