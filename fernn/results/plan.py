"""Which tables and figures there are: known from the params alone, without any library that reads or draws."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from fernn.params.schema import Params
from fernn.runs import Layout, all_runs, evaluations_of, runs_of

TABLE1 = ("translation", "rotation")  # its experiments
TABLE2 = ("kth", "V2T")  # its experiment, and the flow of its training and test data
FORMATS = ("png", "pdf")

Needs = Callable[[str, list[str]], bool]  # of a training flow and of what its runs are evaluated on


@dataclass(frozen=True)
class Kind:
    """A kind of figure.

    Attributes:
        experiments: which it is drawn for.
        needs: whether runs of a training flow, evaluated so, can be shown.
        together: one figure of all training flows, not one for each.
    """

    experiments: tuple[str, ...]
    needs: Needs = lambda flow, measures: True
    together: bool = False


KINDS = {
    "predictions": Kind(TABLE1),
    "validation_loss": Kind(TABLE1),
    "length_generalization": Kind(TABLE1, lambda flow, measures: "length" in measures),
    "velocity_generalization": Kind(TABLE1, lambda flow, measures: "velocity" in measures),
    "validation_accuracy": Kind(("kth",)),
    "confusion": Kind(("kth",), lambda flow, measures: flow in measures),
    "clips": Kind(("kth",)),
    "figure5": Kind(("kth",), lambda flow, measures: bool(set(measures) - {flow}), together=True),
}


@dataclass(frozen=True)
class Plan:
    """One figure, and the models that it shows, each with the flow that it was trained on."""

    experiment: str
    kind: str
    shown: tuple[tuple[str, str], ...]  # (flow, model)

    @property
    def names(self) -> list[str]:
        """Its files."""
        flow = [] if KINDS[self.kind].together else [self.shown[0][0]]
        return [f"{'-'.join([self.experiment, *flow, self.kind])}.{form}" for form in FORMATS]


def table_names(params: Params) -> list[str]:
    """The files of all tables."""
    experiment, flow = TABLE2
    table2 = experiment in params.experiments and any(
        run.flow == flow and flow in evaluations_of(params, run) for run in runs_of(params, experiment)
    )
    there = {"table1": bool(set(TABLE1) & set(params.experiments)), "table2": table2}
    tables = [f"{name}.{form}" for name, is_there in there.items() if is_there for form in ("csv", "md", "tex")]
    return [*tables, "selection.csv"]


def plans(params: Params) -> list[Plan]:
    """The figures that params.yaml allows for: by experiment, flow of the training data, and kind."""
    found = []
    for experiment in params.experiments:
        measures: dict[str, dict[str, list[str]]] = {}  # by flow and model
        for run in runs_of(params, experiment):
            measures.setdefault(run.flow, {}).setdefault(run.model, evaluations_of(params, run))
        kinds = {name: kind for name, kind in KINDS.items() if experiment in kind.experiments}
        apart = [(name, [flow]) for flow in measures for name, kind in kinds.items() if not kind.together]
        together = [(name, list(measures)) for name, kind in kinds.items() if kind.together]
        for name, flows in [*apart, *together]:
            needs = kinds[name].needs
            shown = [(flow, model) for flow in flows for model, has in measures[flow].items() if needs(flow, has)]
            if shown:
                found.append(Plan(experiment, name, tuple(shown)))
    return found


def figure_names(params: Params) -> list[str]:
    """The files of all figures. One whose measure no run of a flow is evaluated on does not exist."""
    return [name for plan in plans(params) for name in plan.names]


def data_files(params: Params, layout: Layout) -> list[Path]:
    """What tables and figures read besides the files of runs: the videos' record."""
    return [layout.dataset("kth", "frames")] if "kth" in params.experiments else []


def files_read(params: Params, layout: Layout, kind: str) -> list[Path]:
    """All that "tables" or "figures" are made of."""
    files = data_files(params, layout)
    of_evaluation = ["evaluation.json", *(["samples.safetensors"] if kind == "figures" else [])]
    for run in all_runs(params):
        files += [layout.run(run, "metrics.csv"), *(layout.evaluation(run, file) for file in of_evaluation)]
    return files
