"""Curves over epochs and over predicted steps: the mean over seeds, each seed, and the range between them."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from fernn.params import Params
from fernn.results.names import math_name
from fernn.results.reading import read_metrics, read_step_errors
from fernn.results.selection import Selection
from fernn.results.style import WIDTH, line, seeds_of, stamp
from fernn.runs import Layout, experiment_params

BANDS = "mean, each seed and their range; seeds "


def validation_loss(params: Params, layout: Layout, selections: list[Selection]) -> Figure:
    """Validation loss against epoch."""
    figure, axes = _axes("Epoch", "Validation loss (MSE)")
    for selection in selections:
        epochs = experiment_params(params, selection.experiment).training.epochs
        losses = [read_metrics(layout, run, epochs)["validation_loss"] for run in selection.runs]
        _curve(axes, params, selection, np.array(losses))
    axes.legend()
    stamp(figure, params, selections, BANDS + seeds_of(selections[0]))
    return figure


def length_generalization(params: Params, layout: Layout, selections: list[Selection]) -> Figure:
    """Error against predicted step, up to and beyond the steps of training."""
    data = getattr(params, selections[0].experiment).data
    figure, axes = _axes("Predicted step", "Test MSE")
    for selection in selections:
        errors = [read_step_errors(layout, run, "length", data.length.predicted).mean for run in selection.runs]
        _curve(axes, params, selection, np.array(errors))
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
    stamp(figure, params, selections, BANDS + seeds_of(selections[0]))
    return figure


def _axes(x: str, y: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(0.7 * WIDTH, 0.52 * WIDTH), layout="constrained")
    axes = figure.add_subplot(xlabel=x, ylabel=y, yscale="log")
    axes.xaxis.set_major_locator(MaxNLocator(steps=[1, 2, 5, 10], integer=True))
    return figure, axes


def _curve(axes: Axes, params: Params, selection: Selection, seeds: NDArray[np.float64]) -> None:
    """Draw (seeds, points) values over 1 ... points."""
    colour, style = line(params, selection)
    points = np.arange(1, seeds.shape[1] + 1)
    axes.fill_between(points, seeds.min(0), seeds.max(0), color=colour, alpha=0.15, linewidth=0)
    for values in seeds:
        axes.plot(points, values, color=colour, alpha=0.45, linewidth=0.5)
    axes.plot(points, seeds.mean(0), color=colour, linestyle=style, linewidth=1.5, label=math_name(selection.model))
    axes.set_xlim(1, len(points))
