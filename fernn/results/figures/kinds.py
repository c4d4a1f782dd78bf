"""Which figures there are, known from the params alone; and writing them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fernn.layout import Layout
from fernn.params import Params
from fernn.results.figures.style import STYLE, save, save_moving
from fernn.results.selection import Selection
from fernn.runs import evaluations_of, runs_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from fernn.experiment import Experiment

FORMATS = ("png", "pdf")
MOVING = "moving.png"  # an APNG: browsers show it wherever a PNG may stand

Draw = Callable[[Params, Layout, list[Selection]], "Figure"]
DrawMoving = Callable[[Params, Layout, list[Selection]], list["Figure"]]
Needs = Callable[[str, list[str]], bool]  # of a training flow and of what its runs are evaluated on


@dataclass(frozen=True)
class Kind:
    """A kind of figure.

    Attributes:
        name: in file names.
        draw: draws one of models that were trained on a flow.
        see: what to see in it, a sentence for readers.
        needs: whether runs of a training flow, evaluated so, can be shown.
        together: one figure of all training flows, not one for each.
        moving: draws the pictures of a moving one, which is a file of its own.
        models: whether it is made of the weights of the first seed's runs as well.
    """

    name: str
    draw: Draw
    see: str
    needs: Needs = lambda flow, measures: True
    together: bool = False
    moving: DrawMoving | None = None
    models: bool = False


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
    def names(self) -> list[str]:
        """Its files."""
        return [*(f"{self.name}.{form}" for form in FORMATS), *([self.moving] if self.kind.moving else [])]

    @property
    def moving(self) -> str:
        """The file of the moving picture, where there is one."""
        return f"{self.name}-{MOVING}"

    def models(self, params: Params, layout: Layout) -> list[Path]:
        """The weights that it may be made of: of all rates, since which one is chosen is known only later."""
        runs = runs_of(params, self.experiment) if self.kind.models else []
        return [layout.model(run.id) for run in runs if (run.flow, run.model) in self.shown]


def panels(params: Params, experiments: Iterable[Experiment[Any]]) -> list[Panel]:
    """The figures that params.yaml allows for: by experiment, flow of the training data, and kind."""
    found = []
    for experiment in experiments:
        measures: dict[str, dict[str, list[str]]] = {}  # by flow and model
        for run in runs_of(params, experiment.name):
            measures.setdefault(run.flow, {}).setdefault(run.model, evaluations_of(params, run))
        apart = [(kind, [flow]) for flow in measures for kind in experiment.figures if not kind.together]
        together = [(kind, list(measures)) for kind in experiment.figures if kind.together]
        for kind, flows in [*apart, *together]:
            shown = [(flow, model) for flow in flows for model, has in measures[flow].items() if kind.needs(flow, has)]
            if shown:
                found.append(Panel(experiment.name, kind, tuple(shown)))
    return found


def figure_names(params: Params, experiments: Iterable[Experiment[Any]]) -> list[str]:
    """The files of all figures. One whose measure no run of a flow is evaluated on does not exist."""
    return [name for panel in panels(params, experiments) for name in panel.names]


def write_figures(
    params: Params, layout: Layout, experiments: Sequence[Experiment[Any]], selections: Sequence[Selection]
) -> None:
    """Draw the figures of experiments; the same inputs give the same bytes, whatever a user's own settings are.

    Raises:
        FernnError: if a file of a run that params.yaml names, or of the videos, is missing or malformed; others are
            not read.
    """
    import matplotlib.style

    found = {(each.experiment, each.flow, each.model): each for each in selections}
    with matplotlib.style.context(STYLE, after_reset=True):
        for panel in panels(params, experiments):
            shown = [found[panel.experiment, flow, model] for flow, model in panel.shown]
            figure = panel.kind.draw(params, layout, shown)
            for form in FORMATS:
                save(figure, layout.figure(f"{panel.name}.{form}"))
            if panel.kind.moving:
                save_moving(panel.kind.moving(params, layout, shown), layout.figure(panel.moving))
