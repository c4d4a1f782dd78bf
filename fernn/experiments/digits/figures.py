"""The figures of experiments with flowing digits (paper, Figures 2 to 4); what models predict, beside the truth."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fernn.experiments.digits.curves import length_generalization, training, validation_loss
from fernn.experiments.digits.forecasts import Samples, read_samples
from fernn.experiments.digits.params import digit_section
from fernn.layout import Layout
from fernn.params import Params
from fernn.results.figures.kinds import Draw, Kind
from fernn.results.figures.style import WIDTH, new_figure, stamp
from fernn.results.selection import Selection
from fernn.results.text import math_name

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LABELS, BAR = 0.8, 0.6  # inches for the names at the left, for the scale of the error at the right
SIDE = 0.55  # inches of a frame, at most
COLUMNS = 7  # of a rollout, at most
STEP = 1.06  # from frame to frame and from row to row, in frames
GAP = 0.17  # inches more above a row that is not of errors


@dataclass(frozen=True)
class _Strip:
    """A row of frames (T, H, W). One of errors stands close below what it belongs to; others have a gap above."""

    label: str
    frames: NDArray[np.float32]
    heads: Sequence[str] = ()  # what stands above each frame, if anything
    error: bool = False


def predictions(params: Params, layout: Layout, selections: list[Selection]) -> Figure:
    """The first test sequence: the frames seen, the truth, then each model's prediction and its absolute error.

    Models of the first seed are shown. The sequence is drawn again only where a model was shown another one.
    """
    strips: list[_Strip] = []
    for model, samples, another in _first_sequences(layout, selections):
        seen, truth, prediction = (array[0, :, 0] for array in (samples.seen, samples.truth, samples.prediction))
        if another:
            times = [f"$t={time}$" for time in range(1, len(seen) + len(truth) + 1)]
            strips += [_Strip("Seen", seen, times[: len(seen)]), _Strip("Truth", truth, times[len(seen) :])]
        strips.append(_Strip(math_name(model), prediction))
        strips.append(_Strip("abs. error", np.abs(prediction - truth), error=True))
    figure = _draw(strips)
    stamp(figure, params, selections, f"first test sequence, seed {selections[0].runs[0].seed}")
    return figure


def rollouts(params: Params, layout: Layout, selections: list[Selection]) -> Figure:
    """The first sequence of the test of length, at up to seven of its steps: the truth, and below it each model.

    Models of the first seed are shown.
    """
    strips: list[_Strip] = []
    for model, samples, another in _first_sequences(layout, selections, "length."):
        steps = samples.truth.shape[1]
        every = -(-steps // COLUMNS)
        shown = slice(every - 1, None, every)
        if another:
            heads = [f"step {step}" for step in range(every, steps + 1, every)]
            strips.append(_Strip("Truth", samples.truth[0, shown, 0], heads))
        strips.append(_Strip(math_name(model), samples.prediction[0, shown, 0]))
    figure = _draw(strips)
    trained = digit_section(params, selections[0].experiment).data.predicted
    detail = f"trained on {trained} steps  ·  first test sequence, seed {selections[0].runs[0].seed}"
    stamp(figure, params, selections, detail)
    return figure


def _first_sequences(layout: Layout, selections: list[Selection], of: str = "") -> Iterator[tuple[str, Samples, bool]]:
    """Models, what their first seeds made of test sequences, and whether the first one is not that of the model before.

    `of` is of `read_samples`.
    """
    shown: list[NDArray[np.float32]] = []
    for selection in selections:
        samples = read_samples(layout, selection.runs[0], of)
        before, shown = shown, [samples.seen[0], samples.truth[0]]
        yield selection.model, samples, not (before and all(map(np.array_equal, before, shown)))


def _draw(strips: list[_Strip]) -> Figure:
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    of_errors = any(strip.error for strip in strips)
    bar_room = BAR if of_errors else GAP
    columns = max(len(strip.frames) for strip in strips)
    errors = Normalize(0, max((float(strip.frames.max()) for strip in strips if strip.error), default=1))
    # all frames stand in one pair of axes whose unit is a frame
    width = columns * STEP
    side = min(SIDE, (WIDTH - LABELS - bar_room) / width)
    gap = GAP / side
    height = len(strips) * STEP + gap * sum(not strip.error for strip in strips)
    figure = new_figure(figsize=(LABELS + width * side + bar_room, height * side + 0.25))
    inches = (LABELS / figure.get_figwidth(), 0.2 / figure.get_figheight())
    axes = figure.add_axes((*inches, width * side / figure.get_figwidth(), height * side / figure.get_figheight()))
    axes.set_axis_off()
    top = 0.0
    for strip in strips:
        top += gap * (not strip.error)
        norm, colours = (errors, "magma") if strip.error else (Normalize(0, 1), "gray")
        for column, frame in enumerate(strip.frames):
            left = column * STEP
            extent = (left, left + 1, top + 1, top)
            axes.imshow(frame, cmap=colours, norm=norm, interpolation="nearest", extent=extent)
            if strip.heads:
                axes.text(left + 0.5, top - 0.06, strip.heads[column], fontsize=7, ha="center", va="bottom")
        size, colour = (7.5, "0.35") if strip.error else (9, "black")
        label = strip.label.replace("$-", "$\n")  # a word behind the paper's name has a line of its own
        axes.text(-0.12, top + 0.5, label, ha="right", va="center", fontsize=size, color=colour)
        top += STEP
    axes.set(xlim=(0, width), ylim=(height, 0))
    if of_errors:
        bar = axes.inset_axes((1.01, 0.25, 0.1 / (width * side), 0.5))
        figure.colorbar(ScalarMappable(errors, "magma"), cax=bar, label="abs. error")
    return figure


FIGURES = (
    Kind(
        "predictions",
        predictions,
        "Whether each predicted digit keeps its shape and its place: errors of place show as pairs of bright edges, "
        "a model that gives up as grey fog.",
    ),
    Kind(
        "validation_loss",
        validation_loss,
        "How early each curve falls and where it ends: the paper says that more generators learn faster. Where bands "
        "overlap, seeds differ as much as models.",
    ),
    Kind(
        "training",
        training,
        "Every run: a validation curve that rises while the grey one still falls is fitted to its training data; one "
        "that ends early diverged.",
    ),
    Kind(
        "length_generalization",
        length_generalization,
        "What happens beyond the training horizon: the paper says that the error of a FERNN stays flat. A curve above "
        "the grey ones is worse than a forecast that needs no training.",
        lambda flow, measures: "length" in measures,
    ),
    Kind(
        "rollouts",
        rollouts,
        "The same beyond the horizon, as pictures: digits that stay, fade, or dissolve.",
        lambda flow, measures: "length" in measures,
    ),
)


def velocity_kind(draw: Draw) -> Kind:
    """The figure of the error by velocity, which each kind of motion draws in its own way."""
    see = (
        "Whether the error grows where training had no such velocity: the paper says that a FERNN is as good there, "
        "and that a G-RNN is not."
    )
    return Kind("velocity_generalization", draw, see, lambda flow, measures: "velocity" in measures)
