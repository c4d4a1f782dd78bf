"""Experiment A: the error over velocities that training did and did not have; hidden states (paper, Figure 1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fernn.evaluation import velocity_index
from fernn.experiments.digits.forecasts import read_samples, read_trivial_errors
from fernn.experiments.digits.params import digit_section
from fernn.flows.names import reach as reach_of
from fernn.flows.translation import Translation
from fernn.layout import Layout
from fernn.models.cell import FERNNCell
from fernn.models.predictor import FERNNPredictor
from fernn.models.storage import read_model
from fernn.params import Params
from fernn.results.figures import WIDTH, Kind, bare, new_figure, seeds_of, stamp
from fernn.results.selection import Selection
from fernn.results.text import math_name
from fernn.results.values import read_values

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

UNIT = 1e-3
MOST_TICKS = 9  # of the bar of colours
COLUMNS = 6  # times of hidden states at most, beside the mean
EMPTY = 1e-12  # a map below this has nothing to show
Rows = list[tuple[str, NDArray[np.float32]]]  # labels, and pictures (T, H, W) at t = 1 ... T, from 0 to 1


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


def hidden_states(params: Params, layout: Layout, selections: list[Selection]) -> Figure:
    """The hidden state of each model at some times, moved back by the motion of the input, and the mean over all.

    The digits of the input all move at the last velocity of the grid. Of a model whose V holds it the map of that
    generator is shown, of others max over V; of each the channel with the most contrast, scaled to its maximum at that
    time. Models of the first seed are shown.
    """
    nu, rows = _rows(params, layout, selections)
    times = np.unique(np.linspace(0, len(rows[0][1]) - 1, COLUMNS).round().astype(int))
    side = 0.66
    figure = new_figure(figsize=(1.3 + side * (len(times) + 1.25), side * len(rows) + 0.75), layout="constrained")
    panels = figure.subplots(len(rows), len(times) + 1, squeeze=False)
    for panel, (label, pictures) in zip(panels, rows, strict=True):
        for axes, time in zip(panel, times, strict=False):
            _show(axes, pictures[time])
        _show(panel[-1], pictures.mean(0))
        panel[0].set_ylabel(label, rotation=0, ha="right", va="center", fontsize=8)
    for axes, head in zip(panels[0], [*(f"$t={time + 1}$" for time in times), "mean over $t$"], strict=True):
        axes.set_title(head, fontsize=7.5)
    _stamp(figure, params, selections, nu)
    return figure


def moving_states(params: Params, layout: Layout, selections: list[Selection]) -> list[Figure]:
    """The same, a picture for each time."""
    nu, rows = _rows(params, layout, selections)
    figures = []
    for time in range(len(rows[0][1])):
        figure = new_figure(figsize=(1.35 * len(rows) + 0.2, 1.95), layout="constrained")
        for axes, (label, pictures) in zip(figure.subplots(1, len(rows), squeeze=False)[0], rows, strict=True):
            _show(axes, pictures[time])
            axes.set_title(label, fontsize=8)
        figure.suptitle(f"$t={time + 1}$", fontsize=8)
        _stamp(figure, params, selections, nu)
        figures.append(figure)
    return figures


def _rows(params: Params, layout: Layout, selections: list[Selection]) -> tuple[tuple[int, int], Rows]:
    """The velocity of the digits; the input, and the hidden states of each model of this library."""
    section = digit_section(params, selections[0].experiment)
    nu = Translation.parse(section.data.velocity.flow).generators[-1]
    samples = read_samples(layout, selections[0].runs[0], "velocity.")
    frames = np.concatenate([samples.seen[0], samples.truth[0]])  # (T, 1, H, W)
    rows = [("Input,\nstill eye", frames[:, 0])]
    for selection in selections:
        if section.models[selection.model].kind != "fernn":
            continue  # another network may have no hidden state over generators
        run = selection.runs[0]
        model = read_model(layout.model(run.id), (FERNNPredictor,))
        states = _states(model.cell, torch.from_numpy(frames), nu)
        rows.append((f"{math_name(selection.model)},\nmoving eye", states))
    return nu, rows


@torch.no_grad()
def _states(cell: FERNNCell, frames: Tensor, nu: tuple[int, int]) -> NDArray[np.float32]:
    """psi_{-t}(nu) of one channel of the map that a cell holds after each frame (T, 1, H, W): (T, H, W)."""
    generators = cell.flow.generators
    state, found = None, []
    for time, frame in enumerate(frames):
        state = cell(frame[None], state)
        maps = state.lab()[0, generators.index(nu)] if nu in generators else state.max()[0]
        found.append(maps.float().roll((-time * nu[1], -time * nu[0]), (-2, -1)))
    seen = torch.stack(found)
    channel = int((seen.std((2, 3)) / seen.amax((2, 3)).clamp(min=EMPTY)).mean(0).argmax())
    maps = seen[:, channel]
    return (maps / maps.amax((1, 2), keepdim=True).clamp(min=EMPTY)).numpy()


def _show(axes: Axes, picture: NDArray[np.float32]) -> None:
    axes.imshow(picture, cmap="magma", vmin=0, vmax=1, interpolation="nearest")
    axes.set(xticks=[], yticks=[])
    bare(axes)


def _stamp(figure: Figure, params: Params, selections: list[Selection], nu: tuple[int, int]) -> None:
    seed = selections[0].runs[0].seed
    stamp(figure, params, selections, f"digits move by ({nu[0]}, {nu[1]}) pixels per frame  ·  seed {seed}")


HIDDEN = Kind(
    "hidden_states",
    hidden_states,
    "Hidden states, seen by an eye that moves with the digits. The map of the FERNN's generator that has their "
    "velocity stands still, and its mean over time stays sharp; the map of a G-RNN smears: it keeps trails of where "
    "digits were.",
    lambda flow, tests: "velocity" in tests,
    moving=moving_states,
    models=True,
)
