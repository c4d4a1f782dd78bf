"""Experiment A: hidden states, seen by an eye that moves with the input (paper, Figure 1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fernn.experiments.digits.forecasts import read_samples
from fernn.experiments.digits.params import digit_section
from fernn.flows.translation import Translation
from fernn.layout import Layout
from fernn.models.cell import FERNNCell
from fernn.models.predictor import FERNNPredictor
from fernn.models.storage import read_model
from fernn.params import Params
from fernn.results.figures.kinds import Kind
from fernn.results.figures.style import bare, new_figure, stamp
from fernn.results.selection import Selection
from fernn.results.text import math_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMNS = 6  # times at most, beside the mean
EMPTY = 1e-12  # a map below this has nothing to show


@dataclass(frozen=True)
class _Row:
    """Pictures (T, H, W) of one thing at t = 1 ... T, each between 0 and 1, and how it is called."""

    label: str
    pictures: NDArray[np.float32]


def hidden_states(params: Params, layout: Layout, selections: list[Selection]) -> Figure:
    """The hidden state of each model at some times, moved back by the motion of the input, and the mean over all.

    The input is a sequence whose digits all move at one velocity nu_hat, the last of the grid. Of a model whose V holds
    it the map of that generator is shown, of others max over V; of each the channel with the most contrast, scaled to
    its maximum at that time. Models of the first seed are shown.
    """
    nu, rows = _rows(params, layout, selections)
    times = np.unique(np.linspace(0, len(rows[0].pictures) - 1, COLUMNS).round().astype(int))
    side = 0.66
    figure = new_figure(figsize=(1.3 + side * (len(times) + 1.25), side * len(rows) + 0.75), layout="constrained")
    panels = figure.subplots(len(rows), len(times) + 1, squeeze=False)
    for panel, row in zip(panels, rows, strict=True):
        for axes, time in zip(panel, times, strict=False):
            _show(axes, row.pictures[time])
        _show(panel[-1], row.pictures.mean(0))
        panel[0].set_ylabel(row.label, rotation=0, ha="right", va="center", fontsize=8)
    for axes, head in zip(panels[0], [*(f"$t={time + 1}$" for time in times), "mean over $t$"], strict=True):
        axes.set_title(head, fontsize=7.5)
    _stamp(figure, params, selections, nu)
    return figure


def moving_states(params: Params, layout: Layout, selections: list[Selection]) -> list[Figure]:
    """The same, a picture for each time."""
    nu, rows = _rows(params, layout, selections)
    figures = []
    for time in range(len(rows[0].pictures)):
        figure = new_figure(figsize=(1.35 * len(rows) + 0.2, 1.95), layout="constrained")
        for axes, row in zip(figure.subplots(1, len(rows), squeeze=False)[0], rows, strict=True):
            _show(axes, row.pictures[time])
            axes.set_title(row.label, fontsize=8)
        figure.suptitle(f"$t={time + 1}$", fontsize=8)
        _stamp(figure, params, selections, nu)
        figures.append(figure)
    return figures


def _rows(params: Params, layout: Layout, selections: list[Selection]) -> tuple[tuple[int, int], list[_Row]]:
    section = digit_section(params, selections[0].experiment)
    nu = Translation.parse(section.data.velocity.flow).generators[-1]
    samples = read_samples(layout, selections[0].runs[0], "velocity.")
    frames = np.concatenate([samples.seen[0], samples.truth[0]])  # (T, 1, H, W)
    rows = [_Row("Input,\nstill eye", frames[:, 0])]
    for selection in selections:
        if section.models[selection.model].kind != "fernn":
            continue  # a network of its own may have no hidden state over generators
        run = selection.runs[0]
        model = read_model(layout.model(run.id), (FERNNPredictor,))
        states = _states(model.cell, torch.from_numpy(frames), nu)
        rows.append(_Row(f"{math_name(selection.model)},\nmoving eye", states))
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
    lambda flow, measures: "velocity" in measures,
    moving=moving_states,
    models=True,
)
