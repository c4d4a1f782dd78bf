"""Which training runs an experiment has."""

from collections.abc import Iterator
from dataclasses import dataclass

from fernn.errors import FernnError, listed
from fernn.params import Params
from fernn.params.base import Runs


@dataclass(frozen=True, order=True)
class Run:
    """One training: a model, trained on the data of one flow with one learning rate and one seed."""

    experiment: str
    flow: str
    model: str
    learning_rate: float
    seed: int

    @property
    def group(self) -> str:
        """The runs that differ from this one by their seed alone."""
        return f"{self.experiment}/{self.flow}/{self.model}/lr{self.learning_rate:g}"

    @property
    def id(self) -> str:
        """The name on the command line and in file names, such as "translation/V2T/FERNN-V1T/lr0.0001/seed0"."""
        return f"{self.group}/seed{self.seed}"


def runs_of(params: Params, experiment: str) -> Iterator[Run]:
    """All runs of an experiment, in the order of params.yaml; a run of several groups is listed once."""
    section = params.section(experiment)
    named = (
        Run(experiment, group.flow, model, rate, seed)
        for group in section.runs
        for model in group.models
        for rate in group.search or [section.models[model].learning_rate]
        for seed in group.seeds or section.seeds
    )
    yield from dict.fromkeys(named)


def all_runs(params: Params) -> dict[str, Run]:
    """The runs of the chosen experiments by id."""
    return {run.id: run for experiment in params.experiments for run in runs_of(params, experiment)}


def find_run(params: Params, identifier: str) -> Run:
    """The run of that id.

    Raises:
        FernnError: if params.yaml has no such run; the message lists similar ones.
    """
    runs = all_runs(params)
    if identifier not in runs:
        near = [name for name in runs if name.rpartition("/lr")[0] == identifier.rpartition("/lr")[0]] or list(runs)
        raise FernnError(f"{identifier}: no run of scale {params.scale}. params.yaml has, for one:{listed(near, 12)}")
    return runs[identifier]


def evaluations_of(params: Params, run: Run) -> list[str]:
    """The evaluations of this run that params.yaml asks for."""
    return list(dict.fromkeys(name for group in _groups(params, run) for name in group.evaluate))


def gpus_of(params: Params, run: Run) -> int:
    """The number of GPUs that share a training; 0 for every run if the params set `gpu` to 0."""
    asked = params.resources.train
    if not asked.gpu:
        return 0
    return asked.gpu_of.get(f"{run.experiment}/{run.model}", asked.gpu_of.get(run.experiment, asked.gpu))


def is_candidate(params: Params, run: Run) -> bool:
    """Whether a search for the learning rate asks for this run."""
    return any(run.learning_rate in (group.search or ()) for group in _groups(params, run))


def _groups(params: Params, run: Run) -> list[Runs]:
    """The groups of runs that have its model, its flow and its seed."""
    section = params.section(run.experiment)
    return [
        group
        for group in section.runs
        if group.flow == run.flow and run.model in group.models and run.seed in (group.seeds or section.seeds)
    ]
