"""Curves over epochs or over predicted steps: the mean over seeds, each seed, and the range between them."""

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


def over_epochs(axes: Axes, params: Params, layout: Layout, selections: list[Selection], measure: str) -> None:
    """Draw a measure of the trainings over epochs, a curve for each model."""
    for selection in selections:
        epochs = params.section(selection.experiment).training.epochs
        values = [read_metrics(layout, run, epochs, measure)[measure] for run in selection.runs]
        curve(axes, params, selection, np.array(values))


def curve(axes: Axes, params: Params, selection: Selection, seeds: NDArray[np.float64]) -> None:
    """Draw (seeds, points) values over 1 ... points."""
    colour, style = line(params, selection)
    points = np.arange(1, seeds.shape[1] + 1)
    axes.fill_between(points, seeds.min(0), seeds.max(0), color=colour, alpha=0.15, linewidth=0)
    for values in seeds:
        axes.plot(points, values, color=colour, alpha=0.45, linewidth=0.5)
    axes.plot(points, seeds.mean(0), color=colour, linestyle=style, linewidth=1.5, label=math_name(selection.model))
    axes.set_xlim(1, len(points))
