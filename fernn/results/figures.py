"""Figures: which ones params.yaml allows for, their common look, curves over steps, and reproducible files."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
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
from fernn.runs import Run, evaluations_of, runs_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from fernn.experiment import Experiment

FORMATS = ("png", "pdf")
LineStyle = str | tuple[int, tuple[float, float]]

WIDTH = 5.5  # inches: the text width of the paper
BANDS = "mean, each seed and their range; seeds "
RATES: tuple[LineStyle, ...] = ("-", (0, (5, 1.2)), (0, (1, 1)), "-.")  # learning rates, in the order of params.yaml
COLOURS = 128  # of a PNG
MOVING_DPI, FRAME_MS = 110, 500  # of an animation

# The fonts come with matplotlib, so figures do not depend on those of the machine.
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

# The palette of Okabe and Ito, which colour-blind readers can tell apart; line styles for print without colour.
LINES: dict[str, tuple[str, LineStyle]] = {
    "G-RNN": ("#D55E00", "-"),
    "FERNN-V1T": ("#56B4E9", (0, (5, 1.2))),
    "FERNN-V2T": ("#0072B2", "-"),
    "FERNN-V2R": ("#009E73", (0, (5, 1.2))),
    "FERNN-V4R": ("#CC79A7", "-"),
    "G-RNN+": ("#E69F00", (0, (5, 1.2))),
    "3D-CNN": ("#000000", (0, (1, 1))),
}
OTHERS = ("#332288", "#999933", "#882255", "#44AA99")  # models of a user; from the muted palette of Paul Tol

Draw = Callable[[Params, Layout, list[Selection]], "Figure"]
DrawMoving = Callable[[Params, Layout, list[Selection]], list["Figure"]]  # the frames of an animation


@dataclass(frozen=True)
class Kind:
    """A kind of figure."""

    name: str  # in file names
    draw: Draw
    see: str  # what to see in it, a sentence
    # whether runs of a training flow, evaluated on these tests, can be shown
    needs: Callable[[str, list[str]], bool] = lambda flow, tests: True
    together: bool = False  # one figure of all training flows instead of one for each
    moving: DrawMoving | None = None  # an animation, in a file of its own
    models: bool = False  # whether it reads the weights of the first seed's runs


@dataclass(frozen=True)
class Panel:
    """One figure, and the models that it shows, each with the flow that it was trained on."""

    experiment: str
    kind: Kind
    shown: tuple[tuple[str, str], ...]  # (flow, model)

    @property
    def name(self) -> str:
        """In file names."""
        flow = [] if self.kind.together else [self.shown[0][0]]
        return "-".join([self.experiment, *flow, self.kind.name])

    @property
    def moving(self) -> str | None:
        """The file of the animation, an APNG (browsers show it wherever a PNG may be); None without one."""
        return f"{self.name}-moving.png" if self.kind.moving else None

    @property
    def names(self) -> list[str]:
        """Its files."""
        return [*(f"{self.name}.{form}" for form in FORMATS), *([self.moving] if self.moving else [])]

    def models(self, params: Params, layout: Layout) -> list[Path]:
        """The weights that it may read: of all learning rates, since the choice is made later."""
        runs = runs_of(params, self.experiment) if self.kind.models else []
        return [layout.model(run.id) for run in runs if (run.flow, run.model) in self.shown]


def panels(params: Params, experiments: Iterable[Experiment[Any]]) -> list[Panel]:
    """The figures that params.yaml allows for: by experiment, training flow and kind.

    A figure whose tests no run of a flow is evaluated on is left out.
    """
    found = []
    for experiment in experiments:
        tests: dict[str, dict[str, list[str]]] = {}  # by flow and model
        for run in runs_of(params, experiment.name):
            tests.setdefault(run.flow, {}).setdefault(run.model, evaluations_of(params, run))
        apart = [(kind, [flow]) for flow in tests for kind in experiment.figures if not kind.together]
        together = [(kind, list(tests)) for kind in experiment.figures if kind.together]
        for kind, flows in [*apart, *together]:
            shown = [(flow, model) for flow in flows for model, has in tests[flow].items() if kind.needs(flow, has)]
            if shown:
                found.append(Panel(experiment.name, kind, tuple(shown)))
    return found


def write_figures(
    params: Params, layout: Layout, experiments: Sequence[Experiment[Any]], selections: Sequence[Selection]
) -> None:
    """Draw the figures of experiments. The same inputs give the same bytes, whatever a user's matplotlib settings.

    Raises:
        FernnError: if a file of a run in params.yaml, or of the videos, is missing or malformed.
    """
    import matplotlib.style

    found = {(each.experiment, each.flow, each.model): each for each in selections}
    with matplotlib.style.context(STYLE, after_reset=True):
        for panel in panels(params, experiments):
            shown = [found[panel.experiment, flow, model] for flow, model in panel.shown]
            figure = panel.kind.draw(params, layout, shown)
            for form in FORMATS:
                save(figure, layout.figure(f"{panel.name}.{form}"))
            if panel.moving and panel.kind.moving:
                save_moving(panel.kind.moving(params, layout, shown), layout.figure(panel.moving))


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


def stamp(
    figure: Figure, params: Params, selections: Sequence[Selection | Run], detail: str, warning: str = ""
) -> None:
    """Write the scale, the data and a detail such as the seeds below the figure, and a warning above."""
    flows = ", ".join(math_name(flow) for flow in dict.fromkeys(selection.flow for selection in selections))
    text = f"scale {params.scale}  ·  {selections[0].experiment}, trained on {flows}  ·  {detail}"
    figure.supxlabel(text, fontsize=6.5, color="0.45", x=0.995, ha="right")
    if warning:
        figure.suptitle(warning, fontsize=7.5, color="#D55E00")


def bare(axes: Axes) -> None:
    """Remove grid, frame and ticks."""
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)


def new_figure(**asked: Any) -> Figure:
    """A matplotlib Figure. Matplotlib is imported in functions only: every command imports this module, few draw."""
    from matplotlib.figure import Figure

    return Figure(**asked)


def save(figure: Figure, path: Path) -> None:
    """Write a figure as PNG (with a palette, for less than half of the size) or PDF, without date and version."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    with atomic(path) as temporary:
        if path.suffix == ".png":
            _few_colours(_picture(figure)).save(temporary, format="PNG", optimize=True)
        else:
            FigureCanvasAgg(figure)
            nothing = dict.fromkeys(("Creator", "Producer", "CreationDate"))
            drawn = io.BytesIO()  # on a full disk matplotlib would raise an error of its own
            figure.savefig(drawn, format="pdf", metadata=nothing)
            temporary.write_bytes(drawn.getvalue())


def save_moving(figures: list[Figure], path: Path, dpi: float = MOVING_DPI, milliseconds: int = FRAME_MS) -> None:
    """Write figures of one size as the frames of an endless animation: a GIF by the path's suffix, else an APNG."""
    pictures = [_picture(figure, dpi) for figure in figures]
    form, palette = "PNG", None
    if path.suffix == ".gif":  # with one palette, what stands still is stored once
        form, palette = "GIF", _few_colours(pictures[len(pictures) // 2])
    first, *others = (_few_colours(picture, palette) for picture in pictures)
    with atomic(path) as temporary:
        first.save(temporary, format=form, save_all=True, append_images=others, duration=milliseconds, loop=0)


def _picture(figure: Figure, dpi: float = STYLE["savefig.dpi"]) -> Image.Image:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    FigureCanvasAgg(figure)
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png", dpi=dpi)
    return Image.open(drawn).convert("RGB")


def _few_colours(picture: Image.Image, palette: Image.Image | None = None) -> Image.Image:
    return picture.quantize(COLOURS, kmeans=2, palette=palette, dither=Image.Dither.NONE)


def axes_of(x: str, y: str, **more: Any) -> tuple[Figure, Axes]:
    """A figure with one pair of axes, for curves over integers."""
    from matplotlib.ticker import MaxNLocator

    figure = new_figure(figsize=(0.7 * WIDTH, 0.52 * WIDTH), layout="constrained")
    axes = figure.add_subplot(xlabel=x, ylabel=y, **more)
    axes.xaxis.set_major_locator(MaxNLocator(steps=[1, 2, 5, 10], integer=True))
    return figure, axes


def over_training(axes: Axes, params: Params, layout: Layout, selections: list[Selection], measure: str) -> None:
    """Draw a measure of the trainings over optimizer steps (bottom) and epochs (top); a curve for each model."""
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
    """Tick labels of a short logarithmic axis: 1, 2 and 5 of each power of ten."""
    return f"{value:g}" if f"{value:e}"[0] in "125" else ""


def all_trainings(params: Params, layout: Layout, selections: list[Selection], loss: str, warning: str = "") -> Figure:
    """The losses of every run of every learning rate over optimizer steps; a panel for each model."""
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
    axes: Axes, params: Params, selection: Selection, seeds: NDArray[Any], points: NDArray[Any] | None = None
) -> None:
    """Draw values of shape (seeds, points) over `points`, by default 1, 2, ..."""
    colour, style = line(params, selection)
    if points is None:
        points = np.arange(1.0, seeds.shape[1] + 1)
    axes.fill_between(points, seeds.min(0), seeds.max(0), color=colour, alpha=0.15, linewidth=0)
    for values in seeds:
        axes.plot(points, values, color=colour, alpha=0.45, linewidth=0.5)
    axes.plot(points, seeds.mean(0), color=colour, linestyle=style, linewidth=1.5, label=math_name(selection.model))
    axes.set_xlim(points[0], points[-1])
