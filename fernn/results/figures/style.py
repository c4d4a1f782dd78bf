"""The common look of all figures, curves over steps, and files that are the same bytes for the same content."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fernn.files import atomic
from fernn.layout import Layout
from fernn.params import Params
from fernn.results.selection import Selection
from fernn.results.text import math_name
from fernn.results.values import read_metrics

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LineStyle = str | tuple[int, tuple[float, float]]

WIDTH = 5.5  # inches: the text width of the paper
BANDS = "mean, each seed and their range; seeds "
RATES: tuple[LineStyle, ...] = ("-", (0, (5, 1.2)), (0, (1, 1)), "-.")  # learning rates, in the order of params.yaml
COLOURS = 128  # of a PNG
MOVING_DPI, PICTURE = 110, 500  # of a moving picture; milliseconds of each of its pictures

# fonts that come with matplotlib, so figures do not depend on the machine's
STYLE: dict[Any, Any] = {
    "font.family": "STIXGeneral",
    "mathtext.fontset": "stix",
    "font.size": 9,
    "axes.labelsize": 9,
    "axes.titlesize": 9,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "legend.fontsize": 8,
    "legend.frameon": False,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.minor.width": 0.4,
    "ytick.minor.width": 0.4,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "0.9",
    "grid.linewidth": 0.5,
    "image.composite_image": False,
    "pdf.fonttype": 42,
    "savefig.dpi": 200,
}

# the palette of Okabe and Ito, which colour-blind readers can tell apart; line styles for print without colour
LINES: dict[str, tuple[str, LineStyle]] = {
    "G-RNN": ("#D55E00", "-"),
    "FERNN-V1T": ("#56B4E9", (0, (5, 1.2))),
    "FERNN-V2T": ("#0072B2", "-"),
    "FERNN-V2R": ("#009E73", (0, (5, 1.2))),
    "FERNN-V4R": ("#CC79A7", "-"),
    "G-RNN+": ("#E69F00", (0, (5, 1.2))),
    "3D-CNN": ("#000000", (0, (1, 1))),
}
OTHERS = ("#332288", "#999933", "#882255", "#44AA99")  # models of one's own; from the muted palette of Paul Tol


def line(params: Params, selection: Selection) -> tuple[str, LineStyle]:
    """Colour and line style of a model: the same in every figure of an experiment."""
    if selection.model in LINES:
        return LINES[selection.model]
    own = sorted(name for name in params.section(selection.experiment).models if name not in LINES)
    return OTHERS[own.index(selection.model) % len(OTHERS)], "-."


def seeds_of(selections: Sequence[Selection]) -> str:
    """The seeds behind a figure: of the first model, and of each that has others, such as "0, 1, 2 (FERNN-V3T: 0)"."""
    named = [(of.model, ", ".join(str(run.seed) for run in of.runs)) for of in selections]
    first = named[0][1]
    others = dict.fromkeys(f"{math_name(model)}: {seeds}" for model, seeds in named if seeds != first)
    return f"{first} ({'; '.join(others)})" if others else first


def stamp(figure: Figure, params: Params, selections: list[Selection], detail: str, warning: str = "") -> None:
    """Say in small print, below, what the figure shows: the scale, the data, and a detail such as the seeds.

    A warning, such as that of stand-in videos, stands at the head.
    """
    flows = ", ".join(math_name(flow) for flow in dict.fromkeys(selection.flow for selection in selections))
    text = f"scale {params.scale}  ·  {selections[0].experiment}, trained on {flows}  ·  {detail}"
    figure.supxlabel(text, fontsize=6.5, color="0.45", x=0.995, ha="right")
    if warning:
        figure.suptitle(warning, fontsize=7.5, color="#D55E00")


def bare(axes: Axes) -> None:
    """Leave axes of a map to its cells alone: no grid, no frame, no ticks."""
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)


def new_figure(**asked: Any) -> Figure:
    """A figure, by the arguments of matplotlib's class.

    Figures get matplotlib here and inside of functions: what a figure is like is known to every command, and half a
    second of loading is for those that draw.
    """
    from matplotlib.figure import Figure

    return Figure(**asked)


def save(figure: Figure, path: Path) -> None:
    """Write a figure in the format of the file's name, PNG or PDF, with no date and no version in it.

    A PNG has a palette of its own, well below half of the size; the PDF has all colours.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    with atomic(path) as temporary:
        if path.suffix == ".png":
            _picture(figure).save(temporary, format="PNG", optimize=True)
        else:
            FigureCanvasAgg(figure)
            nothing = dict.fromkeys(("Creator", "Producer", "CreationDate"))
            drawn = io.BytesIO()  # where a disk is full, matplotlib would end in an error of its own
            figure.savefig(drawn, format="pdf", metadata=nothing)
            temporary.write_bytes(drawn.getvalue())


def save_moving(figures: list[Figure], path: Path) -> None:
    """Write figures of one size as the pictures of an APNG that is repeated for ever."""
    first, *others = (_picture(figure, MOVING_DPI) for figure in figures)
    with atomic(path) as temporary:
        first.save(temporary, format="PNG", save_all=True, append_images=others, duration=PICTURE, loop=0)


def _picture(figure: Figure, dpi: float = STYLE["savefig.dpi"]) -> Image.Image:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    FigureCanvasAgg(figure)
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png", dpi=dpi)
    return Image.open(drawn).convert("RGB").quantize(COLOURS, kmeans=2, dither=Image.Dither.NONE)


def axes_of(x: str, y: str, **more: Any) -> tuple[Figure, Axes]:
    """A figure of one pair of axes, for curves over whole numbers."""
    from matplotlib.ticker import MaxNLocator

    figure = new_figure(figsize=(0.7 * WIDTH, 0.52 * WIDTH), layout="constrained")
    axes = figure.add_subplot(xlabel=x, ylabel=y, **more)
    axes.xaxis.set_major_locator(MaxNLocator(steps=[1, 2, 5, 10], integer=True))
    return figure, axes


def over_training(axes: Axes, params: Params, layout: Layout, selections: list[Selection], measure: str) -> None:
    """Draw a measure of the trainings over steps of the optimizer, and epochs above; a curve for each model."""
    from matplotlib.ticker import MaxNLocator

    for selection in selections:
        epochs = params.section(selection.experiment).training.epochs
        metrics = [read_metrics(layout, run, epochs, measure) for run in selection.runs]
        steps = np.array(metrics[0]["step"])
        curve(axes, params, selection, np.array([each[measure] for each in metrics]), steps)
        epoch = steps[-1] / epochs
    above = axes.secondary_xaxis("top", functions=(lambda step: step / epoch, lambda number: number * epoch))
    above.xaxis.set_major_locator(MaxNLocator(steps=[1, 2, 5, 10], integer=True))
    above.set_xlabel("Epoch")


def _plain(value: float, place: int) -> str:
    """Numbers of a logarithmic scale that does not reach over decades: 1, 2 and 5 of each power of ten."""
    return f"{value:g}" if f"{value:e}"[0] in "125" else ""


def all_trainings(params: Params, layout: Layout, selections: list[Selection], loss: str, warning: str = "") -> Figure:
    """The losses of every run over steps of the optimizer, those of rates that were not chosen too; a panel a model."""
    from matplotlib.ticker import MaxNLocator

    columns = min(3, len(selections))
    rows = -(-len(selections) // columns)
    figure = new_figure(figsize=(WIDTH, 1.9 * rows + 0.5), layout="constrained")
    panels = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).flatten()
    rates = list(dict.fromkeys(tried.learning_rate for of in selections for tried in of.candidates))
    for axes, selection in zip(panels, selections, strict=False):
        epochs, (colour, _) = params.section(selection.experiment).training.epochs, line(params, selection)
        for tried in selection.candidates:
            style = RATES[rates.index(tried.learning_rate) % len(RATES)] if len(rates) > 1 else "-"
            chosen = ", chosen" if tried is selection.chosen and len(selection.candidates) > 1 else ""
            label: str | None = f"{tried.learning_rate:g}{chosen}"
            for run in tried.runs:
                metrics = read_metrics(layout, run, epochs, "validation_loss")
                axes.plot(metrics["step"], metrics["train_loss"], color="0.6", linestyle=style, linewidth=0.6)
                axes.plot(
                    metrics["step"], metrics["validation_loss"], color=colour, linestyle=style, linewidth=1, label=label
                )
                label = None  # once for all seeds
        axes.set(yscale="log", title=math_name(selection.model))
        axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
        axes.yaxis.set_major_formatter(_plain)
        axes.yaxis.set_minor_formatter(_plain)
        axes.legend(title="rate", fontsize=6.5, title_fontsize=6.5)
    for axes in panels[len(selections) :]:
        axes.set_axis_off()
    figure.supylabel(f"Loss ({loss})", fontsize=9)
    detail = f"over optimizer steps  ·  coloured: validation, grey: training; every seed: {seeds_of(selections)}"
    stamp(figure, params, selections, detail, warning)
    return figure


def curve(
    axes: Axes,
    params: Params,
    selection: Selection,
    seeds: NDArray[np.float64],
    points: NDArray[np.float64] | None = None,
) -> None:
    """Draw (seeds, points) values over their points; without, over 1, 2 and so on."""
    colour, style = line(params, selection)
    if points is None:
        points = np.arange(1.0, seeds.shape[1] + 1)
    axes.fill_between(points, seeds.min(0), seeds.max(0), color=colour, alpha=0.15, linewidth=0)
    for values in seeds:
        axes.plot(points, values, color=colour, alpha=0.45, linewidth=0.5)
    axes.plot(points, seeds.mean(0), color=colour, linestyle=style, linewidth=1.5, label=math_name(selection.model))
    axes.set_xlim(points[0], points[-1])
