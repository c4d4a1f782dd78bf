"""Experiment A: the error over velocities that training did and did not have."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fernn.evaluation import velocity_index
from fernn.experiments.digits.forecasts import read_trivial_errors
from fernn.experiments.digits.params import digit_section
from fernn.flows.names import reach as reach_of
from fernn.layout import Layout
from fernn.params import Params
from fernn.results.figures.style import WIDTH, bare, new_figure, seeds_of, stamp
from fernn.results.selection import Selection
from fernn.results.text import math_name
from fernn.results.values import read_values

if TYPE_CHECKING:
    from matplotlib.figure import Figure

UNIT = 1e-3
MOST_TICKS = 9  # of the bar of colours


def velocity_generalization(params: Params, layout: Layout, selections: list[Selection]) -> Figure:
    """Heat maps of the test error over (vx, vy), mean over seeds; velocities of training are outlined (Figure 4)."""
    from matplotlib.colors import LogNorm
    from matplotlib.patches import Rectangle
    from matplotlib.ticker import NullLocator

    data = digit_section(params, selections[0].experiment).data
    reach, trained = reach_of(data.velocity.flow), reach_of(selections[0].flow)
    span = range(-reach, reach + 1)
    velocities = [velocity_index((vx, vy)) for vy in span for vx in span]  # vy in rows, vx in columns
    values = read_values(layout, (run for of in selections for run in of.runs))
    errors = [values.by_index(of.runs, "velocity", "mse", velocities) for of in selections]
    grids = [each.mean(0).reshape(len(span), len(span)) / UNIT for each in errors]
    # a map of one value still needs a scale with two ends
    low, high = min(grid.min() for grid in grids), max(grid.max() for grid in grids)
    scale_ends = (low, high if high > low else 10 * low)
    scale = LogNorm(*scale_ends)
    figure = new_figure(figsize=(WIDTH, 0.47 * WIDTH * min(1, 2 / len(grids)) + 0.55), layout="constrained")
    panels = figure.subplots(1, len(grids), sharey=True, squeeze=False)[0]
    edge = reach + 0.5
    for axes, grid, selection in zip(panels, grids, selections, strict=True):
        image = axes.imshow(grid, norm=scale, cmap="viridis", extent=(-edge, edge, edge, -edge))
        for (row, column), value in np.ndenumerate(grid):
            shade = "white" if scale(value) < 0.6 else "black"
            axes.text(column - reach, row - reach, _short(value), color=shade, ha="center", va="center", fontsize=7)
        inner = min(trained, reach) + 0.5
        outline = Rectangle((-inner, -inner), 2 * inner, 2 * inner, fill=False, edgecolor="#D55E00", linewidth=1.6)
        axes.add_patch(outline)
        axes.set(title=math_name(selection.model), xlabel="$v_x$ (pixels per frame)")
        axes.set(xticks=span, yticks=span)
        bare(axes)
    panels[0].set_ylabel("$v_y$ (pixels per frame, downwards)")
    bar = figure.colorbar(image, ax=panels, label=r"Test MSE ($\times\,10^{-3}$)", pad=0.02)
    bar.set_ticks(ticks := _ticks(*scale_ends), labels=[_short(tick) for tick in ticks])
    bar.ax.yaxis.set_minor_locator(NullLocator())
    first = selections[0]
    trivial = read_trivial_errors(layout, first.experiment, "velocity", first.flow, data.predicted, len(velocities))
    means = ", ".join(f"{name} {_short(errors.mean() / UNIT)}" for name, errors in trivial.items())
    detail = f"outlined: velocities of training  ·  mean over seeds {seeds_of(selections)}"
    stamp(figure, params, selections, f"{detail}\nmean over velocities, same unit: {means}")
    return figure


def _ticks(low: float, high: float) -> list[float]:
    """Round numbers on a logarithmic scale, as many as have room."""
    from matplotlib.ticker import LogLocator

    for steps in (range(1, 10), (1, 2, 5), (1,)):
        ticks = [tick for tick in LogLocator(subs=steps).tick_values(low, high) if low <= tick <= high]
        if len(ticks) <= MOST_TICKS:
            break
    return ticks or [low]


def _short(value: float) -> str:
    return f"{value:.0f}" if value >= 99.5 or value == 0 else f"{value:#.2g}".rstrip(".")
