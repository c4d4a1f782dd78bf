"""The accuracy of recognition over training."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fernn.experiments.kth.recognition import Videos, read_videos
from fernn.layout import Layout
from fernn.params import Params
from fernn.results.figures.style import BANDS, WIDTH, all_trainings, axes_of, over_training, seeds_of, stamp
from fernn.results.selection import Selection

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


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
