"""Which tables and figures there are: known from the params alone, without any library that reads or draws."""

from dataclasses import dataclass

from fernn.params import Params
from fernn.runs import evaluations_of, runs_of

TABLE1 = ("translation", "rotation")  # its experiments
FORMATS = ("png", "pdf")


@dataclass(frozen=True)
class Kind:
    """A kind of figure: the measure that it needs (None: training alone), and the experiments that it is drawn for."""

    measure: str | None
    experiments: tuple[str, ...]


KINDS = {
    "predictions": Kind(None, ("translation", "rotation")),
    "validation_loss": Kind(None, ("translation", "rotation")),
    "length_generalization": Kind("length", ("translation", "rotation")),
    "velocity_generalization": Kind("velocity", ("translation",)),
}


@dataclass(frozen=True)
class Plan:
    """One figure: models trained on the data of one flow, all of which have its measure."""

    experiment: str
    flow: str
    kind: str
    models: tuple[str, ...]

    @property
    def names(self) -> list[str]:
        """Its files."""
        return [f"{self.experiment}-{self.flow}-{self.kind}.{form}" for form in FORMATS]


def table_names(params: Params) -> list[str]:
    """The files of all tables."""
    table1 = ["table1.csv", "table1.md", "table1.tex"] if set(TABLE1) & set(params.experiments) else []
    return [*table1, "selection.csv"]


def plans(params: Params) -> list[Plan]:
    """The figures that params.yaml allows for: by experiment, flow of the training data, and kind."""
    found = []
    for experiment in params.experiments:
        measures: dict[str, dict[str, list[str]]] = {}  # by flow and model
        for run in runs_of(params, experiment):
            measures.setdefault(run.flow, {}).setdefault(run.model, evaluations_of(params, run))
        for flow, models in measures.items():
            for name, kind in KINDS.items():
                shown = tuple(model for model, has in models.items() if kind.measure is None or kind.measure in has)
                if shown and experiment in kind.experiments:
                    found.append(Plan(experiment, flow, name, shown))
    return found


def figure_names(params: Params) -> list[str]:
    """The files of all figures. One whose measure no run of a flow is evaluated on does not exist."""
    return [name for plan in plans(params) for name in plan.names]
