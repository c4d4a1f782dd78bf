"""The error over velocities that training did and did not have."""

import re

import numpy as np
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from fernn.params.schema import Params
from fernn.results.forecasts import read_turn_errors, read_velocity_errors
from fernn.results.names import math_name
from fernn.results.selection import Selection
from fernn.results.style import WIDTH, line, seeds_of, stamp
from fernn.runs import Layout

UNIT = 1e-3


def velocity_generalization(params: Params, layout: Layout, selections: list[Selection]) -> Figure:
    """Test error at velocities that training did and did not have (paper, Figure 4)."""
    draw = {"translation": _maps, "rotation": _turns}[selections[0].experiment]
    return draw(params, layout, selections)


def _maps(params: Params, layout: Layout, selections: list[Selection]) -> Figure:
    """Heat maps over (vx, vy), mean over seeds; the velocities of training are outlined."""
    reach, trained = _reach(params.translation.data.velocity.flow), _reach(selections[0].flow)
    grids = [
        np.mean([read_velocity_errors(layout, run, reach) for run in selection.runs], axis=0) / UNIT
        for selection in selections
    ]
    # a map of one value still needs a scale with two ends
    low, high = min(grid.min() for grid in grids), max(grid.max() for grid in grids)
    scale = LogNorm(low, high if high > low else 10 * low)
    figure = Figure(figsize=(WIDTH, 0.47 * WIDTH * min(1, 2 / len(grids)) + 0.35), layout="constrained")
    panels = figure.subplots(1, len(grids), sharey=True, squeeze=False)[0]
    edge = reach + 0.5
    for axes, grid, selection in zip(panels, grids, selections, strict=True):
        image = axes.imshow(grid, norm=scale, cmap="viridis", extent=(-edge, edge, edge, -edge))
        for (row, column), value in np.ndenumerate(grid):
            shade = "white" if scale(value) < 0.6 else "black"
            text = f"{value:.0f}" if value >= 99.5 else f"{value:#.2g}".rstrip(".")
            axes.text(column - reach, row - reach, text, color=shade, ha="center", va="center", fontsize=7)
        inner = min(trained, reach) + 0.5
        outline = Rectangle((-inner, -inner), 2 * inner, 2 * inner, fill=False, edgecolor="#D55E00", linewidth=1.6)
        axes.add_patch(outline)
        axes.set(title=math_name(selection.model), xlabel="$v_x$ (pixels per frame)")
        axes.set(xticks=range(-reach, reach + 1), yticks=range(-reach, reach + 1))
        axes.grid(visible=False)
        axes.spines[:].set_visible(False)
        axes.tick_params(length=0)
    panels[0].set_ylabel("$v_y$ (pixels per frame, downwards)")
    figure.colorbar(image, ax=panels, label=r"Test MSE ($\times\,10^{-3}$)", pad=0.02)
    stamp(figure, params, selections, f"outlined: velocities of training  ·  mean over seeds {seeds_of(selections[0])}")
    return figure


def _turns(params: Params, layout: Layout, selections: list[Selection]) -> Figure:
    """Curves over degrees per frame, mean and each seed; the range of training is shaded."""
    data = params.rotation.data
    reach, trained = _reach(data.velocity.flow), _reach(selections[0].flow)
    degrees = [data.degrees * step for step in range(-reach, reach + 1)]
    figure = Figure(figsize=(0.7 * WIDTH, 0.52 * WIDTH), layout="constrained")
    axes = figure.add_subplot(xlabel="Velocity (degrees per frame)", ylabel="Test MSE", yscale="log", xticks=degrees)
    edge = data.degrees * (min(trained, reach) + 0.5)
    axes.axvspan(-edge, edge, color="0.93", zorder=0)
    for selection in selections:
        seeds = np.array([read_turn_errors(layout, run, degrees) for run in selection.runs])
        colour, style = line(params, selection)
        axes.fill_between(degrees, seeds.min(0), seeds.max(0), color=colour, alpha=0.15, linewidth=0)
        axes.plot(degrees, seeds.mean(0), "o", color=colour, linestyle=style, label=math_name(selection.model), ms=3)
    axes.legend()
    detail = f"shaded: velocities of training  ·  mean and range of seeds {seeds_of(selections[0])}"
    stamp(figure, params, selections, detail)
    return figure


def _reach(flow: str) -> int:
    """The k of V_k^T, the largest speed along each axis, or of V_k^R."""
    match = re.fullmatch(r"V(\d+)[TR]", flow)
    assert match, f"params.yaml is checked to have flows here, found {flow}"
    return int(match[1])
