"""The figures of experiment C (paper, Figure 5)."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fernn.experiments.kth.videos import Videos, read_videos
from fernn.flows.names import reach
from fernn.layout import Layout
from fernn.params import Params
from fernn.results.figures import (
    BANDS,
    WIDTH,
    Kind,
    all_trainings,
    axes_of,
    bare,
    line,
    new_figure,
    over_training,
    seeds_of,
    stamp,
)
from fernn.results.selection import Selection, summarize
from fernn.results.text import math_name
from fernn.results.values import read_samples, read_values
from fernn.runs import evaluations_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

IN_A_ROW = 3  # confusions
BAR = 0.78  # width, where bars are 1 apart
CLIPS = 6  # shown at most
FRAMES = 8  # of each clip at most, evenly spaced
NAMED = 0.78  # inches for the action at the left and for each model's word at the right
SIDE = 0.5  # inches of a frame, at most
STEP = 1.08  # from row to row, in frames
HEAD = 0.3  # inches above the rows of a group
RIGHT, WRONG = {"color": "#009E73"}, {"color": "#D55E00", "weight": "bold"}


def validation_accuracy(params: Params, layout: Layout, selections: list[Selection]) -> Figure:
    """Validation accuracy against steps of the optimizer, and that of a guess."""
    videos = read_videos(layout)
    figure, axes = axes_of("Optimizer step", "Validation accuracy", ylim=(0, 1))
    over_training(axes, params, layout, selections, "validation_accuracy")
    chance(axes, videos)
    figure.set_figwidth(0.9 * WIDTH)
    # curves of accuracy leave no corner free; beside the axes, it leaves the head to the warning
    axes.legend(loc="upper left", bbox_to_anchor=(1.02, 1), borderaxespad=0)
    stamp(figure, params, selections, BANDS + seeds_of(selections), videos.warning)
    return figure


def training(params: Params, layout: Layout, selections: list[Selection]) -> Figure:
    """The losses of every run; see `all_trainings`."""
    return all_trainings(params, layout, selections, "Cross entropy", read_videos(layout).warning)


def chance(axes: Axes, videos: Videos) -> None:
    """Draw the accuracy of a guess."""
    axes.axhline(1 / len(videos.actions), color="0.4", linewidth=0.8, linestyle=(0, (2, 2)), zorder=1, label="chance")


def confusion(params: Params, layout: Layout, selections: list[Selection]) -> Figure:
    """Percent of the test clips of each action (rows) that a model takes for each (columns), all seeds together.

    The test clips move by the flow of the training clips.
    """
    videos = read_videos(layout)
    actions = videos.actions
    pairs = [f"{true} {taken}" for true in actions for taken in actions]
    values = read_values(layout, (run for of in selections for run in of.runs))
    columns = min(IN_A_ROW, len(selections))
    rows = -(-len(selections) // columns)
    figure = new_figure(figsize=(WIDTH, 1.15 + rows * (0.7 * WIDTH / IN_A_ROW + 0.3)), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False).flatten()
    for number, (axes, selection) in enumerate(zip(panels, selections, strict=False)):
        seeds = values.by_index(selection.runs, selection.flow, "confusion", pairs)
        counts = seeds.sum(0).reshape(len(actions), -1)
        # an action that the test set does not have has a row of zeros
        percent = 100 * counts / np.maximum(counts.sum(1, keepdims=True), 1)
        axes.imshow(percent, cmap="Blues", vmin=0, vmax=100)
        for (row, column), value in np.ndenumerate(percent):
            if counts[row, column]:
                colour = "white" if value > 55 else "black"
                axes.text(column, row, f"{value:.0f}", color=colour, ha="center", va="center", fontsize=6)
        axes.set_title(f"{math_name(selection.model)} ({np.trace(counts) / counts.sum():.1%})")
        axes.xaxis.tick_top()
        axes.xaxis.set_label_position("top")
        if number < columns:
            axes.set_xlabel("Named action", fontsize=7.5)
        axes.set_xticks(range(len(actions)), actions if number < columns else [], rotation=90, fontsize=6.5)
        axes.set_yticks(range(len(actions)), actions if number % columns == 0 else [], fontsize=6.5)
        bare(axes)
    for axes in panels[len(selections) :]:
        axes.set_axis_off()
    figure.supylabel("True action", fontsize=9)
    detail = f"percent of a true action's test clips, by named action; seeds {seeds_of(selections)}"
    stamp(figure, params, selections, detail, videos.warning)
    return figure


def figure5(params: Params, layout: Layout, selections: list[Selection]) -> Figure:
    """Test accuracy by flow of training (rows) and of test (columns): mean, standard deviation, and each seed.

    A pair of flows that params.yaml does not ask for has no panel.
    """
    videos = read_videos(layout)
    values = read_values(layout, (run for of in selections for run in of.runs))
    tested = {s: evaluations_of(params, s.runs[0]) for s in selections}
    rows, columns = (
        sorted(set(flows), key=lambda flow: (reach(flow), flow))
        for flows in ((s.flow for s in selections), chain.from_iterable(tested.values()))
    )
    models = list(dict.fromkeys(s.model for s in selections))
    figure = new_figure(figsize=(WIDTH, 1.4 * len(rows) + 1.1), layout="constrained")
    panels = figure.subplots(len(rows), len(columns), sharey=True, squeeze=False)
    for row, trained in zip(panels, rows, strict=True):
        for axes, flow in zip(row, columns, strict=True):
            shown = [s for s in selections if s.flow == trained and flow in tested[s]]
            axes.set_visible(bool(shown))
            for selection in shown:
                accuracies = values.whole(selection.runs, flow, "accuracy")
                _bar(axes, params, selection, models.index(selection.model), accuracies)
            chance(axes, videos)
            axes.set_title(f"trained {math_name(trained)}, tested {math_name(flow)}")
            axes.set(ylim=(0, 1), xlim=(-0.6, len(models) - 0.4), xticks=range(len(models)))
            axes.tick_params(bottom=False, labelbottom=False)
            axes.grid(visible=False, axis="x")
    for row in panels:
        next(axes for axes in row if axes.get_visible()).tick_params(labelleft=True)
    for column in panels.T:  # the lowest panel names the models
        lowest = next(axes for axes in column[::-1] if axes.get_visible())
        lowest.set_xticklabels([math_name(model) for model in models], rotation=45, ha="right", rotation_mode="anchor")
        lowest.tick_params(labelbottom=True)
    figure.supylabel("Test accuracy", fontsize=9)
    detail = f"mean, standard deviation and each seed; dashed: chance; seeds {seeds_of(selections)}"
    stamp(figure, params, selections, detail, videos.warning)
    return figure


def _bar(axes: Axes, params: Params, selection: Selection, place: int, accuracies: list[float]) -> None:
    ours = summarize(accuracies)
    axes.bar(place, ours.mean, BAR, color=line(params, selection)[0], alpha=0.85)
    if ours.std is not None:
        axes.errorbar(place, ours.mean, yerr=ours.std, color="0.15", linewidth=0.9, capsize=2.5, capthick=0.9)
    beside = place + np.linspace(-0.22, 0.22, len(accuracies)) if len(accuracies) > 1 else [place]
    axes.plot(beside, accuracies, "o", color="white", markeredgecolor="0.15", markeredgewidth=0.5, markersize=2.8)


@dataclass(frozen=True)
class _Group:
    """Models that were shown the same clips."""

    clip: NDArray[np.float32]  # (S, T, 1, H, W) in [0, 1]
    label: NDArray[np.int64]  # (S,)
    words: dict[str, NDArray[np.int64]]  # label that a model gives to each clip


def clips(params: Params, layout: Layout, selections: list[Selection]) -> Figure:
    """Some test clips with their true action, and the action that each model of the first seed names.

    Evaluations keep clips of the last flow that they test. Clips are drawn again only for models that saw other ones.
    """
    videos = read_videos(layout)
    groups: list[_Group] = []
    for selection in selections:
        clip, label, logits = read_samples(layout, selection.runs[0], "clip", "label", "logits")
        group = next((each for each in groups if np.array_equal(each.clip, clip)), None)
        if group is None:
            groups.append(group := _Group(clip, label, {}))
        group.words[selection.model] = logits.argmax(1)
    figure = _draw(groups, videos.actions, head=0.25 if videos.warning else 0.0)
    flow = math_name(evaluations_of(params, selections[0].runs[0])[-1])
    stamp(figure, params, selections, f"test clips of {flow}, seed {selections[0].runs[0].seed}", videos.warning)
    return figure


def _draw(groups: list[_Group], actions: list[str], head: float) -> Figure:
    columns = max(min(FRAMES, group.clip.shape[1]) for group in groups)
    models = max(len(group.words) for group in groups)
    side = min(SIDE, (WIDTH - NAMED) / columns)  # the words of the models may make the figure wider than the text
    rows = [min(CLIPS, len(group.label)) for group in groups]
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
    clip, label = group.clip[:, :, 0], group.label
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


FIGURES = (
    Kind(
        "validation_accuracy",
        validation_accuracy,
        "How far each model comes above chance, and whether the bands of seeds overlap: then the order of the curves "
        "says little.",
    ),
    Kind(
        "training",
        training,
        "Every run, those of learning rates that were not chosen too: a validation curve that rises while the grey one "
        "still falls is fitted to its training data.",
    ),
    Kind(
        "confusion",
        confusion,
        "The diagonal is right; what stands beside it says which actions are taken for one another.",
        lambda flow, tests: flow in tests,
    ),
    Kind("clips", clips, "What a model sees, and the word it gives: bold ones are wrong."),
    Kind(
        "figure5",
        figure5,
        "Each row is a training flow, each column a test flow: whether bars fall where the test moves and the training "
        "did not.",
        lambda flow, tests: bool(set(tests) - {flow}),
        together=True,
    ),
)
