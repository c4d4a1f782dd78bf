"""Which action is taken for which."""

import numpy as np
from matplotlib.figure import Figure

from fernn.experiments.kth.recognition import read_recognition, read_videos
from fernn.layout import Layout
from fernn.params import Params
from fernn.results.figures.style import WIDTH, seeds_of, stamp
from fernn.results.names import math_name
from fernn.results.reading.selection import Selection

IN_A_ROW = 3


def confusion(params: Params, layout: Layout, selections: list[Selection]) -> Figure:
    """Percent of the test clips of each action (rows) that a model takes for each (columns), all seeds together.

    The test clips move by the flow of the training clips.
    """
    videos = read_videos(layout)
    actions = videos.actions
    columns = min(IN_A_ROW, len(selections))
    rows = -(-len(selections) // columns)
    figure = Figure(figsize=(WIDTH, 1.15 + rows * (0.7 * WIDTH / IN_A_ROW + 0.3)), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False).flatten()
    for number, (axes, selection) in enumerate(zip(panels, selections, strict=False)):
        found = [read_recognition(layout, run, selection.flow, len(actions)) for run in selection.runs]
        counts = np.sum([each.confusion for each in found], axis=0)
        # an action that the test set does not have has a row of zeros
        percent = 100 * counts / np.maximum(counts.sum(1, keepdims=True), 1)
        axes.imshow(percent, cmap="Blues", vmin=0, vmax=100)
        for (row, column), value in np.ndenumerate(percent):
            if counts[row, column]:
                colour = "white" if value > 55 else "black"
                axes.text(column, row, f"{value:.0f}", color=colour, ha="center", va="center", fontsize=6)
        axes.set_title(f"{math_name(selection.model)} ({np.trace(counts) / counts.sum():.1%})")
        axes.xaxis.tick_top()
        axes.set_xticks(range(len(actions)), actions if number < columns else [], rotation=90, fontsize=6.5)
        axes.set_yticks(range(len(actions)), actions if number % columns == 0 else [], fontsize=6.5)
        axes.grid(visible=False)
        axes.spines[:].set_visible(False)
        axes.tick_params(length=0)
    for axes in panels[len(selections) :]:
        axes.set_axis_off()
    figure.supylabel("True action", fontsize=9)
    detail = f"percent of a true action's test clips, by named action; seeds {seeds_of(selections[0])}"
    stamp(figure, params, selections, detail, videos.warning)
    return figure
