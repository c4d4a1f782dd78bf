"""Curves over epochs and over predicted steps: the mean over seeds, each seed, and the range between them."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from fernn.params.schema import Params
from fernn.results.forecasts import read_step_errors
from fernn.results.names import math_name
from fernn.results.reading import read_metrics
from fernn.results.recognition import read_videos
from fernn.results.selection import Selection
from fernn.results.style import WIDTH, chance, line, seeds_of, stamp
from fernn.runs import Layout, experiment_params

BANDS = "mean, each seed and their range; seeds "


def validation_loss(params: Params, layout: Layout, selections: list[Selection]) -> Figure:
    """Validation loss against epoch."""
    figure, axes = _axes("Epoch", "Validation loss (MSE)", yscale="log")
    _epochs(axes, params, layout, selections, "validation_loss")
    axes.legend()
    stamp(figure, params, selections, BANDS + seeds_of(selections[0]))
    return figure


def validation_accuracy(params: Params, layout: Layout, selections: list[Selection]) -> Figure:
    """Validation accuracy against epoch, and that of a guess."""
    videos = read_videos(layout)
    figure, axes = _axes("Epoch", "Validation accuracy", ylim=(0, 1))
    _epochs(axes, params, layout, selections, "validation_accuracy")
    chance(axes, videos)
    figure.set_figwidth(0.9 * WIDTH)
    figure.legend(loc="outside right upper")  # curves of accuracy leave no corner free
    stamp(figure, params, selections, BANDS + seeds_of(selections[0]), videos.warning)
    return figure


def length_generalization(params: Params, layout: Layout, selections: list[Selection]) -> Figure:
    """Error against predicted step, up to and beyond the steps of training."""
    data = getattr(params, selections[0].experiment).data
    figure, axes = _axes("Predicted step", "Test MSE", yscale="log")
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


def _axes(x: str, y: str, **more: Any) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(0.7 * WIDTH, 0.52 * WIDTH), layout="constrained")
    axes = figure.add_subplot(xlabel=x, ylabel=y, **more)
    axes.xaxis.set_major_locator(MaxNLocator(steps=[1, 2, 5, 10], integer=True))
    return figure, axes


def _epochs(axes: Axes, params: Params, layout: Layout, selections: list[Selection], measure: str) -> None:
    for selection in selections:
        epochs = experiment_params(params, selection.experiment).training.epochs
        values = [read_metrics(layout, run, epochs, measure)[measure] for run in selection.runs]
        _curve(axes, params, selection, np.array(values))


def _curve(axes: Axes, params: Params, selection: Selection, seeds: NDArray[np.float64]) -> None:
    """Draw (seeds, points) values over 1 ... points."""
    colour, style = line(params, selection)
    points = np.arange(1, seeds.shape[1] + 1)
    axes.fill_between(points, seeds.min(0), seeds.max(0), color=colour, alpha=0.15, linewidth=0)
    for values in seeds:
        axes.plot(points, values, color=colour, alpha=0.45, linewidth=0.5)
    axes.plot(points, seeds.mean(0), color=colour, linestyle=style, linewidth=1.5, label=math_name(selection.model))
    axes.set_xlim(1, len(points))
