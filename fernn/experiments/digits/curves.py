"""Curves of prediction: the loss over training, and the error over predicted steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fernn.experiments.digits.forecasts import read_trivial_errors
from fernn.experiments.digits.params import digit_section
from fernn.layout import Layout
from fernn.params import Params
from fernn.results.figures.style import BANDS, all_trainings, axes_of, curve, line, over_training, seeds_of, stamp
from fernn.results.selection import Selection
from fernn.results.values import read_values, steps

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ROUNDING = 1e-9  # an error below this is none: a turn by 90 degrees permutes pixels, but for rounding
NAME = 8  # points that a name at the right takes, with room for axes that later grow
DEVIATION = "dotted: ± standard deviation over sequences"


def validation_loss(params: Params, layout: Layout, selections: list[Selection]) -> Figure:
    """Validation loss against steps of the optimizer."""
    figure, axes = axes_of("Optimizer step", "Validation loss (MSE)", yscale="log")
    over_training(axes, params, layout, selections, "validation_loss")
    axes.legend()
    stamp(figure, params, selections, BANDS + seeds_of(selections))
    return figure


def training(params: Params, layout: Layout, selections: list[Selection]) -> Figure:
    """The losses of every run; see `all_trainings`."""
    return all_trainings(params, layout, selections, "MSE")


def length_generalization(params: Params, layout: Layout, selections: list[Selection]) -> Figure:
    """Error against predicted step, up to and beyond the steps of training, with its deviation over sequences."""
    data = digit_section(params, selections[0].experiment).data
    figure, axes = axes_of("Predicted step", "Test MSE", yscale="log")
    last, first = data.length.predicted, selections[0]
    values = read_values(layout, (run for of in selections for run in of.runs))
    outlines = []
    for selection in selections:
        mean, std = (values.by_index(selection.runs, "length", name, steps(last)) for name in ("mse", "mse_std"))
        curve(axes, params, selection, mean)
        outlines.append((selection, mean.mean(0), std.mean(0)))
    trivial = read_trivial_errors(layout, first.experiment, "length", first.flow, last)
    exact = trivial_curves(axes, range(1, last + 1), {name: errors[0] for name, errors in trivial.items()})
    lowest = axes.get_ylim()[0]
    for selection, middle, deviation in outlines:
        for edge in (middle - deviation, middle + deviation):
            axes.plot(range(1, last + 1), edge, ":", color=line(params, selection)[0], linewidth=0.6, alpha=0.7)
    # a deviation as large as the mean has its lower end far down, or nowhere on this scale
    axes.set_ylim(bottom=lowest)
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
    stamp(
        figure, params, selections, f"{BANDS}{seeds_of(selections)}\n" + "  ·  ".join(filter(None, [DEVIATION, exact]))
    )
    return figure


def trivial_curves(axes: Axes, points: Sequence[float], errors: Mapping[str, NDArray[np.float64]]) -> str:
    """Draw the errors of trivial forecasts, each (points,), into axes with a logarithmic scale; named at their right.

    Returns:
        What is to be said of forecasts or points without error, which have no place on that scale; empty without such.
    """
    shown = {name: np.where(values > ROUNDING, values, np.nan) for name, values in errors.items()}
    drawn = {name: values for name, values in shown.items() if np.isfinite(values).any()}
    for values in drawn.values():
        axes.plot(points, values, color="0.55", linestyle=(0, (4, 2)), linewidth=0.7, zorder=1.5)
    ends = {name: float(values[np.isfinite(values)][-1]) for name, values in drawn.items()}
    for name, offset in _apart(axes, ends).items():
        axes.annotate(
            name,
            (1, ends[name]),
            (3, offset),
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            fontsize=6.5,
            color="0.45",
            va="center",
        )
    missing = [name for name in errors if name not in drawn]
    missing += ["grey gaps"] if any(np.isnan(values).any() for values in drawn.values()) else []
    return f"{', '.join(missing)}: no error" if missing else ""


def _apart(axes: Axes, ends: Mapping[str, float]) -> dict[str, float]:
    """By how many points names move up so that none lies on another; their curves end on a logarithmic scale."""
    low, high = np.log(axes.get_ylim())
    points = axes.bbox.height * 72 / axes.figure.dpi
    heights = {name: (np.log(end) - low) / (high - low) * points for name, end in ends.items()}
    offsets, free = {}, -np.inf
    for name in sorted(heights, key=heights.__getitem__):
        offsets[name] = max(heights[name], free) - heights[name]
        free = heights[name] + offsets[name] + NAME
    return offsets
