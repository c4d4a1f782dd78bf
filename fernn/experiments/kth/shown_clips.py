"""Test clips, the actions that they show, and what the models take them for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fernn.experiments.kth.recognition import read_videos
from fernn.layout import Layout
from fernn.params import Params
from fernn.results.figures.style import WIDTH, new_figure, stamp
from fernn.results.selection import Selection
from fernn.results.text import math_name
from fernn.results.values import read_samples
from fernn.runs import evaluations_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LARGEST = 6  # clips at most
FRAMES = 8  # of each clip at most, evenly spaced
NAMED = 0.78  # inches for the action at the left and for each model's word at the right
SIDE = 0.5  # inches of a frame, at most
STEP = 1.08  # from row to row, in frames
HEAD = 0.3  # inches above the rows of a group
RIGHT, WRONG = {"color": "#009E73"}, {"color": "#D55E00", "weight": "bold"}


@dataclass(frozen=True)
class ShownClips:
    """Test clips (S, T, 1, H, W) float32 in [0, 1], their true labels (S,), and a model's logits (S, classes)."""

    clip: NDArray[np.float32]
    label: NDArray[np.int64]
    logits: NDArray[np.float32]


@dataclass(frozen=True)
class _Group:
    """Models that were shown the same clips."""

    clips: ShownClips
    words: dict[str, NDArray[np.int64]]  # label that a model gives to each clip


def clips(params: Params, layout: Layout, selections: list[Selection]) -> Figure:
    """Some test clips with their true action, and the action that each model of the first seed names.

    Evaluations keep clips of the last flow that they test. Clips are drawn again only for models that saw other ones.
    """
    videos = read_videos(layout)
    groups: list[_Group] = []
    for selection in selections:
        found = ShownClips(*read_samples(layout, selection.runs[0], "clip", "label", "logits"))
        group = next((each for each in groups if np.array_equal(each.clips.clip, found.clip)), None)
        if group is None:
            groups.append(group := _Group(found, {}))
        group.words[selection.model] = found.logits.argmax(1)
    figure = _draw(groups, videos.actions, head=0.25 if videos.warning else 0.0)
    flow = math_name(evaluations_of(params, selections[0].runs[0])[-1])
    stamp(figure, params, selections, f"test clips of {flow}, seed {selections[0].runs[0].seed}", videos.warning)
    return figure


def _draw(groups: list[_Group], actions: list[str], head: float) -> Figure:
    columns = max(min(FRAMES, group.clips.clip.shape[1]) for group in groups)
    models = max(len(group.words) for group in groups)
    side = min(SIDE, (WIDTH - NAMED) / columns)  # the words of the models may make the figure wider than the text
    rows = [min(LARGEST, len(group.clips.label)) for group in groups]
    heights = [count * side * STEP + HEAD for count in rows]
    width, height = NAMED * (1 + models) + columns * side, sum(heights) + 0.25 + head
    figure = new_figure(figsize=(width, height))
    top = height - head
    for group, count, tall in zip(groups, rows, heights, strict=True):
        axes = figure.add_axes((NAMED / width, (top - tall) / height, columns * side / width, tall / height))
        axes.set_axis_off()
        _panel(axes, group, actions, columns, count, NAMED / side)
        axes.set(xlim=(0, columns), ylim=(count * STEP, -HEAD / side))  # after imshow, which sets limits of its own
        top -= tall
    return figure


def _panel(axes: Axes, group: _Group, actions: list[str], columns: int, count: int, step: float) -> None:
    """Clips in rows; the unit of the axes is a frame, `step` of them wide is the word of a model."""
    clip, label = group.clips.clip[:, :, 0], group.clips.label
    times = np.linspace(0, clip.shape[1] - 1, min(columns, clip.shape[1])).round().astype(int)
    for column, time in enumerate(times):
        axes.text(column + 0.5, -0.08, f"$t={time + 1}$", fontsize=7, ha="center", va="bottom")
        for row in range(count):
            extent = (column + 0.02, column + 0.98, row * STEP + 0.98, row * STEP + 0.02)
            axes.imshow(clip[row, time], cmap="gray", vmin=0, vmax=1, interpolation="nearest", extent=extent)
    for row in range(count):
        axes.text(-0.1, row * STEP + 0.5, actions[label[row]], ha="right", va="center", fontsize=7.5)
    for number, (model, words) in enumerate(group.words.items()):
        middle = columns + (number + 0.5) * step
        axes.text(middle, -0.08, math_name(model), fontsize=7.5, ha="center", va="bottom")
        for row in range(count):
            word = axes.text(middle, row * STEP + 0.5, actions[words[row]], ha="center", va="center", fontsize=7)
            word.set(**RIGHT if words[row] == label[row] else WRONG)
