"""Curves of prediction: the loss over epochs, and the error over predicted steps."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from fernn.experiments.digits.forecasts import read_step_errors, read_trivial_errors
from fernn.experiments.digits.params import digit_section
from fernn.layout import Layout
from fernn.params import Params
from fernn.results.figures.curves import BANDS, axes_of, curve, over_epochs
from fernn.results.figures.style import seeds_of, stamp
from fernn.results.reading.selection import Selection


def validation_loss(params: Params, layout: Layout, selections: list[Selection]) -> Figure:
    """Validation loss against epoch."""
    figure, axes = axes_of("Epoch", "Validation loss (MSE)", yscale="log")
    over_epochs(axes, params, layout, selections, "validation_loss")
    axes.legend()
    stamp(figure, params, selections, BANDS + seeds_of(selections[0]))
    return figure


def length_generalization(params: Params, layout: Layout, selections: list[Selection]) -> Figure:
    """Error against predicted step, up to and beyond the steps of training."""
    data = digit_section(params, selections[0].experiment).data
    figure, axes = axes_of("Predicted step", "Test MSE", yscale="log")
    for selection in selections:
        errors = [read_step_errors(layout, run, "length", data.length.predicted).mean for run in selection.runs]
        curve(axes, params, selection, np.array(errors))
    steps, first = data.length.predicted, selections[0]
    trivial = read_trivial_errors(layout, first.experiment, "length", first.flow, steps)
    exact = trivial_curves(axes, range(1, steps + 1), {name: errors[0] for name, errors in trivial.items()})
    axes.axvspan(1, data.predicted, color="0.95", zorder=0)
    axes.axvline(data.predicted, color="0.4", linewidth=0.8, linestyle=(0, (2, 2)), zorder=1)
    axes.annotate(
        "training horizon",
        (data.predicted, 1),
        (3, 1),
        xycoords=("data", "axes fraction"),
        textcoords="offset points",
        fontsize=7,
        color="0.4",
    )
    axes.legend()
    stamp(figure, params, selections, f"{BANDS}{seeds_of(first)}{exact}")
    return figure


def trivial_curves(axes: Axes, points: Sequence[float], errors: Mapping[str, NDArray[np.float64]]) -> str:
    """Draw the errors of trivial forecasts, each (points,) and named at its end, into axes with a logarithmic scale.

    Returns:
        What is to be said of those without error, which have no place on that scale; empty where all have one.
    """
    drawn = {name: values for name, values in errors.items() if values.any()}
    for name, values in drawn.items():
        axes.plot(points, values, color="0.55", linestyle=(0, (4, 2)), linewidth=0.7, zorder=1.5)
        axes.annotate(
            name,
            (points[-1], values[-1]),
            (-2, 2),
            textcoords="offset points",
            fontsize=6.5,
            color="0.45",
            ha="right",
        )
    return "".join(f"  ·  {name}: no error" for name in errors if name not in drawn)
