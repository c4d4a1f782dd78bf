"""The figures of experiments with flowing digits (paper, Figures 2 to 4)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fernn.experiments.digits.forecasts import Samples, read_samples, read_trivial_errors
from fernn.experiments.digits.params import digit_section
from fernn.layout import Layout
from fernn.params import Params
from fernn.results.figures import (
    BANDS,
    WIDTH,
    Draw,
    Kind,
    all_trainings,
    axes_of,
    curve,
    line,
    new_figure,
    over_training,
    seeds_of,
    stamp,
)
from fernn.results.selection import Selection
from fernn.results.text import math_name
from fernn.results.values import read_values, steps

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LABELS, BAR = 0.8, 0.6  # inches for the names at the left, for the scale of the error at the right
SIDE = 0.55  # inches of a frame, at most
COLUMNS = 7  # of a rollout, at most
STEP = 1.06  # from frame to frame and from row to row, in frames
GAP = 0.17  # inches more above a row that is not of errors
ROUNDING = 1e-9  # an error below this is none: a turn by 90 degrees permutes pixels, but for rounding
NAME = 8  # points that a name at the right takes, with room for axes that later grow
DEVIATION = "dotted: ± standard deviation over sequences"


def validation_loss(params: Params, layout: Layout, selections: list[Selection]) -> Figure:
    """Validation loss against steps of the optimizer."""
    figure, axes = axes_of("Optimizer step", "Validation loss (MSE)", yscale="log")
    over_training(axes, params, layout, selections, "validation_loss")
    axes.legend()
    stamp(figure, params, selections, BANDS + seeds_of(selections))
    return figure


def training(params: Params, layout: Layout, selections: list[Selection]) -> Figure:
    """The losses of every run; see `all_trainings`."""
    return all_trainings(params, layout, selections, "MSE")


def length_generalization(params: Params, layout: Layout, selections: list[Selection]) -> Figure:
    """Error against predicted step, up to and beyond the steps of training, with its deviation over sequences."""
    data = digit_section(params, selections[0].experiment).data
    figure, axes = axes_of("Predicted step", "Test MSE", yscale="log")
    last, first = data.length.predicted, selections[0]
    values = read_values(layout, (run for of in selections for run in of.runs))
    outlines = []
    for selection in selections:
        mean, std = (values.by_index(selection.runs, "length", name, steps(last)) for name in ("mse", "mse_std"))
        curve(axes, params, selection, mean)
        outlines.append((selection, mean.mean(0), std.mean(0)))
    trivial = read_trivial_errors(layout, first.experiment, "length", first.flow, last)
    exact = trivial_curves(axes, range(1, last + 1), {name: errors[0] for name, errors in trivial.items()})
    lowest = axes.get_ylim()[0]
    for selection, middle, deviation in outlines:
        for edge in (middle - deviation, middle + deviation):
            axes.plot(range(1, last + 1), edge, ":", color=line(params, selection)[0], linewidth=0.6, alpha=0.7)
    # a deviation as large as the mean has its lower end far down, or nowhere on this scale
    axes.set_ylim(bottom=lowest)
    axes.axvspan(1, data.predicted, color="0.95", zorder=0)
    axes.axvline(data.predicted, color="0.4", linewidth=0.8, linestyle=(0, (2, 2)), zorder=1)
    _note(axes, "training horizon", (data.predicted, 1), 1, ("data", "axes fraction"), fontsize=7, color="0.4")
    axes.legend()
    detail = f"{BANDS}{seeds_of(selections)}\n" + "  ·  ".join(filter(None, [DEVIATION, exact]))
    stamp(figure, params, selections, detail)
    return figure


def trivial_curves(axes: Axes, points: Sequence[float], errors: Mapping[str, NDArray[np.float64]]) -> str:
    """Draw the errors of the baselines, each (points,), into axes with a logarithmic scale; named at their right.

    Returns:
        A note on forecasts or points without error, which have no place on that scale; empty without such.
    """
    shown = {name: np.where(values > ROUNDING, values, np.nan) for name, values in errors.items()}
    drawn = {name: values for name, values in shown.items() if np.isfinite(values).any()}
    for values in drawn.values():
        axes.plot(points, values, color="0.55", linestyle=(0, (4, 2)), linewidth=0.7, zorder=1.5)
    ends = {name: float(values[np.isfinite(values)][-1]) for name, values in drawn.items()}
    for name, offset in _apart(axes, ends).items():
        where = (1, ends[name]), offset, ("axes fraction", "data")
        _note(axes, name, *where, fontsize=6.5, color="0.45", va="center")
    missing = [name for name in errors if name not in drawn]
    missing += ["grey gaps"] if any(np.isnan(values).any() for values in drawn.values()) else []
    return f"{', '.join(missing)}: no error" if missing else ""


def _note(axes: Axes, text: str, at: tuple[float, float], up: float, units: tuple[str, str], **style: Any) -> None:
    """A note at the right of a point, some points of text further up."""
    axes.annotate(text, at, (3, up), xycoords=units, textcoords="offset points", **style)


def _apart(axes: Axes, ends: Mapping[str, float]) -> dict[str, float]:
    """By how many points names move up so that none is on another; their curves end on a logarithmic scale."""
    low, high = np.log(axes.get_ylim())
    points = axes.bbox.height * 72 / axes.figure.dpi
    heights = {name: (np.log(end) - low) / (high - low) * points for name, end in ends.items()}
    offsets, free = {}, -np.inf
    for name in sorted(heights, key=heights.__getitem__):
        offsets[name] = max(heights[name], free) - heights[name]
        free = heights[name] + offsets[name] + NAME
    return offsets


@dataclass(frozen=True)
class _Strip:
    """A row of frames (T, H, W). A row of errors is close below what it belongs to; others have a gap above."""

    label: str
    frames: NDArray[np.float32]
    heads: Sequence[str] = ()  # text above each frame
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
        last = samples.truth.shape[1]
        every = -(-last // COLUMNS)
        shown = slice(every - 1, None, every)
        if another:
            heads = [f"step {step}" for step in range(every, last + 1, every)]
            strips.append(_Strip("Truth", samples.truth[0, shown, 0], heads))
        strips.append(_Strip(math_name(model), samples.prediction[0, shown, 0]))
    figure = _draw(strips)
    trained = digit_section(params, selections[0].experiment).data.predicted
    detail = f"trained on {trained} steps  ·  first test sequence, seed {selections[0].runs[0].seed}"
    stamp(figure, params, selections, detail)
    return figure


def moving_forecasts(frames: NDArray[np.float32], forecasts: Mapping[str, NDArray[np.float32]]) -> list[Figure]:
    """A sequence and forecasts of it side by side, a figure for each frame.

    Args:
        frames: (T, H, W), those that the models are shown, then the truth.
        forecasts: (T', H, W) by model, of the last T' frames; before them a model's picture is its input.
    """
    steps = len(next(iter(forecasts.values())))
    seen = len(frames) - steps
    shown = [frames, *(np.concatenate([frames[:seen], each]) for each in forecasts.values())]
    labels = [f"input\n{t} of {seen}" for t in range(1, seen + 1)]
    labels += [f"forecast\n{step} of {steps}" for step in range(1, steps + 1)]
    heads = ["truth", *map(math_name, forecasts)]
    pictures = zip(labels, np.stack(shown, 1), strict=True)
    return [_draw([_Strip(label, at_once, heads)]) for label, at_once in pictures]


def _first_sequences(layout: Layout, selections: list[Selection], of: str = "") -> Iterator[tuple[str, Samples, bool]]:
    """Models, samples of their first seeds, and whether the first sequence is not that of the model before."""
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
    # one pair of axes holds all frames; its unit is a frame
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
        lambda flow, tests: "length" in tests,
    ),
    Kind(
        "rollouts",
        rollouts,
        "The same beyond the horizon, as pictures: digits that stay, fade, or dissolve.",
        lambda flow, tests: "length" in tests,
    ),
)


def velocity_kind(draw: Draw) -> Kind:
    """The figure of the error by velocity, by the function that draws it for a kind of motion."""
    see = (
        "Whether the error grows where training had no such velocity: the paper says that a FERNN is as good there, "
        "and that a G-RNN is not."
    )
    return Kind("velocity_generalization", draw, see, lambda flow, tests: "velocity" in tests)
