"""What an experiment is: its section of params.yaml, its work stage by stage, and what becomes of its results.

Each experiment is a folder beside this file, whose package has an `EXPERIMENT`; `registry` finds them.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar

from fernn.errors import FernnError
from fernn.evaluation.outcome import Workplace as EvaluationPlace
from fernn.layout import Layout
from fernn.params import Params
from fernn.params.base import ExperimentParams
from fernn.results.figures.kinds import Kind
from fernn.results.reading.selection import Criterion
from fernn.results.tables.table import PaperTable
from fernn.runs import Run
from fernn.training.loop import Fit
from fernn.training.outcome import Workplace as TrainingPlace

Files = dict[str, Path]
Say = Callable[[str], None]  # a line for a person
P = TypeVar("P", bound=ExperimentParams)
I = TypeVar("I")  # noqa: E741 (inputs)
K = TypeVar("K")
Q = ParamSpec("Q")
R = TypeVar("R")


@dataclass(frozen=True)
class Work(Generic[I, Q, R]):
    """What makes one result.

    Attributes:
        function: does it.
        inputs: what the bytes depend on besides files and code: a frozen dataclass of plain values, and of such
            dataclasses.
        files: what is read, by the names that the function knows them by.
    """

    function: Callable[Concatenate[I, Files, Q], R]
    inputs: I
    files: Files

    def do(self, *place: Q.args, **more: Q.kwargs) -> R:
        """Do it."""
        return self.function(self.inputs, self.files, *place, **more)

    @property
    def code(self) -> tuple[str, ...]:
        """The modules of the function and of the dataclasses in its inputs, such as a model's: they decide bytes."""
        parts = (type(value).__module__ for value in vars(self.inputs).values() if is_dataclass(value))
        return tuple(sorted({self.function.__module__, *parts}))

    @property
    def plain(self) -> dict[str, Any]:
        """The inputs as plain values. A dataclass in them is told with its name."""
        return _plain(self.inputs)


def _plain(inputs: Any) -> dict[str, Any]:
    values = {field.name: getattr(inputs, field.name) for field in fields(inputs)}
    return {
        name: {"class": type(value).__name__, **_plain(value)} if is_dataclass(value) else value
        for name, value in values.items()
    }


def kind_of(kinds: Mapping[str, K], experiment: str, model: str, kind: str) -> K:
    """What stands for a model's `kind` in params.yaml.

    Raises:
        FernnError: if the experiment has no such kind.
    """
    if kind not in kinds:
        raise FernnError(
            f"{experiment}.models.{model}.kind = {kind!r}: no kind of model there; expected one of {', '.join(kinds)}"
        )
    return kinds[kind]


DatasetWork = Work[Any, [Path, Say], None]  # of the file to write
TrainingWork = Work[Any, [TrainingPlace, tuple[Path, Path]], Fit]  # of model and metrics
EvaluationWork = Work[Any, [EvaluationPlace, tuple[Path, Path]], None]  # of measures and samples


@dataclass(frozen=True)
class Pass:
    """Sequences that go through a network.

    Attributes:
        sequences: number of them.
        side: of a frame in pixels.
        frames: that the network takes in.
        predicted: frames that it makes, where it makes any.
    """

    sequences: int
    side: int
    frames: int
    predicted: int | None = None


@dataclass(frozen=True)
class Workload:
    """What a run puts through its network: in an epoch of training and its validations, and in its evaluation."""

    epoch: Pass
    validation: Pass
    evaluation: tuple[Pass, ...]


class Experiment(ABC, Generic[P]):
    """An experiment.

    Attributes:
        name: in params.yaml, on the command line and in file names.
        schema: of its section of params.yaml.
        criterion: what its runs are chosen by.
        table: the table that its results stand in.
        figures: the kinds of its figures.
    """

    name: str
    schema: type[P]
    criterion: Criterion
    table: PaperTable
    figures: tuple[Kind, ...]

    def section(self, params: Params) -> P:
        """Its section of the params."""
        section = params.section(self.name)
        assert isinstance(section, self.schema)  # the params were checked by it
        return section

    @abstractmethod
    def dataset(self, params: Params, layout: Layout, part: str) -> DatasetWork:
        """How a part of its data set is made, such as "digits" or "test-V2T".

        Raises:
            FernnError: if there is no such part; the message lists those that there are.
        """

    @abstractmethod
    def training(self, params: Params, layout: Layout, run: Run) -> TrainingWork:
        """How a run is trained. What it reads are parts of the data set."""

    @abstractmethod
    def evaluation(self, params: Params, layout: Layout, run: Run) -> EvaluationWork:
        """How a run is evaluated. What it reads are parts of the data set, and "model"."""

    @abstractmethod
    def workload(self, params: Params, run: Run) -> Workload:
        """What a run costs."""
