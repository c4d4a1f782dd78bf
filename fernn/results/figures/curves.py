"""Curves over optimizer steps or over predicted ones: the mean over seeds, each seed, and the range between them."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from fernn.layout import Layout
from fernn.params import Params
from fernn.results.figures.style import WIDTH, line
from fernn.results.names import math_name
from fernn.results.reading.runs import read_metrics
from fernn.results.reading.selection import Selection

BANDS = "mean, each seed and their range; seeds "


def axes_of(x: str, y: str, **more: Any) -> tuple[Figure, Axes]:
    """A figure of one pair of axes, for curves over whole numbers."""
    figure = Figure(figsize=(0.7 * WIDTH, 0.52 * WIDTH), layout="constrained")
    axes = figure.add_subplot(xlabel=x, ylabel=y, **more)
    axes.xaxis.set_major_locator(MaxNLocator(steps=[1, 2, 5, 10], integer=True))
    return figure, axes


def over_training(axes: Axes, params: Params, layout: Layout, selections: list[Selection], measure: str) -> None:
    """Draw a measure of the trainings over steps of the optimizer, and epochs above; a curve for each model."""
    for selection in selections:
        epochs = params.section(selection.experiment).training.epochs
        metrics = [read_metrics(layout, run, epochs, measure) for run in selection.runs]
        steps = np.array(metrics[0]["step"])
        curve(axes, params, selection, np.array([each[measure] for each in metrics]), steps)
        epoch = steps[-1] / epochs
    above = axes.secondary_xaxis("top", functions=(lambda step: step / epoch, lambda number: number * epoch))
    above.xaxis.set_major_locator(MaxNLocator(steps=[1, 2, 5, 10], integer=True))
    above.set_xlabel("Epoch")


def curve(
    axes: Axes,
    params: Params,
    selection: Selection,
    seeds: NDArray[np.float64],
    points: NDArray[np.float64] | None = None,
) -> None:
    """Draw (seeds, points) values over their points; without, over 1, 2 and so on."""
    colour, style = line(params, selection)
    if points is None:
        points = np.arange(1.0, seeds.shape[1] + 1)
    axes.fill_between(points, seeds.min(0), seeds.max(0), color=colour, alpha=0.15, linewidth=0)
    for values in seeds:
        axes.plot(points, values, color=colour, alpha=0.45, linewidth=0.5)
    axes.plot(points, seeds.mean(0), color=colour, linestyle=style, linewidth=1.5, label=math_name(selection.model))
    axes.set_xlim(points[0], points[-1])
