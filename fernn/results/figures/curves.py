"""Curves over optimizer steps or over predicted ones: the mean over seeds, each seed, and the range between them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fernn.layout import Layout
from fernn.params import Params
from fernn.results.figures.style import WIDTH, LineStyle, line, new_figure, seeds_of, stamp
from fernn.results.names import math_name
from fernn.results.reading.runs import read_metrics
from fernn.results.reading.selection import Selection

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BANDS = "mean, each seed and their range; seeds "
RATES: tuple[LineStyle, ...] = ("-", (0, (5, 1.2)), (0, (1, 1)), "-.")  # learning rates, in the order of params.yaml


def axes_of(x: str, y: str, **more: Any) -> tuple[Figure, Axes]:
    """A figure of one pair of axes, for curves over whole numbers."""
    from matplotlib.ticker import MaxNLocator

    figure = new_figure(figsize=(0.7 * WIDTH, 0.52 * WIDTH), layout="constrained")
    axes = figure.add_subplot(xlabel=x, ylabel=y, **more)
    axes.xaxis.set_major_locator(MaxNLocator(steps=[1, 2, 5, 10], integer=True))
    return figure, axes


def over_training(axes: Axes, params: Params, layout: Layout, selections: list[Selection], measure: str) -> None:
    """Draw a measure of the trainings over steps of the optimizer, and epochs above; a curve for each model."""
    from matplotlib.ticker import MaxNLocator

    for selection in selections:
        epochs = params.section(selection.experiment).training.epochs
        metrics = [read_metrics(layout, run, epochs, measure) for run in selection.runs]
        steps = np.array(metrics[0]["step"])
        curve(axes, params, selection, np.array([each[measure] for each in metrics]), steps)
        epoch = steps[-1] / epochs
    above = axes.secondary_xaxis("top", functions=(lambda step: step / epoch, lambda number: number * epoch))
    above.xaxis.set_major_locator(MaxNLocator(steps=[1, 2, 5, 10], integer=True))
    above.set_xlabel("Epoch")


def _plain(value: float, place: int) -> str:
    """Numbers of a logarithmic scale that does not reach over decades: 1, 2 and 5 of each power of ten."""
    return f"{value:g}" if f"{value:e}"[0] in "125" else ""


def all_trainings(params: Params, layout: Layout, selections: list[Selection], loss: str, warning: str = "") -> Figure:
    """The losses of every run over steps of the optimizer, those of rates that were not chosen too; a panel a model."""
    from matplotlib.ticker import MaxNLocator

    columns = min(3, len(selections))
    rows = -(-len(selections) // columns)
    figure = new_figure(figsize=(WIDTH, 1.9 * rows + 0.5), layout="constrained")
    panels = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).flatten()
    rates = list(dict.fromkeys(tried.learning_rate for of in selections for tried in of.candidates))
    for axes, selection in zip(panels, selections, strict=False):
        epochs, (colour, _) = params.section(selection.experiment).training.epochs, line(params, selection)
        for tried in selection.candidates:
            style = RATES[rates.index(tried.learning_rate) % len(RATES)] if len(rates) > 1 else "-"
            chosen = ", chosen" if tried is selection.chosen and len(selection.candidates) > 1 else ""
            label: str | None = f"{tried.learning_rate:g}{chosen}"
            for run in tried.runs:
                metrics = read_metrics(layout, run, epochs, "validation_loss")
                axes.plot(metrics["step"], metrics["train_loss"], color="0.6", linestyle=style, linewidth=0.6)
                axes.plot(
                    metrics["step"], metrics["validation_loss"], color=colour, linestyle=style, linewidth=1, label=label
                )
                label = None  # once for all seeds
        axes.set(yscale="log", title=math_name(selection.model))
        axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
        axes.yaxis.set_major_formatter(_plain)
        axes.yaxis.set_minor_formatter(_plain)
        axes.legend(title="rate", fontsize=6.5, title_fontsize=6.5)
    for axes in panels[len(selections) :]:
        axes.set_axis_off()
    figure.supylabel(f"Loss ({loss})", fontsize=9)
    detail = f"over optimizer steps  ·  coloured: validation, grey: training; every seed: {seeds_of(selections)}"
    stamp(figure, params, selections, detail, warning)
    return figure


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
