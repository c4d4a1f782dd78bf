"""What an experiment is: its section of params.yaml, its work stage by stage, and what becomes of its results.

Each experiment is a folder beside this file, whose package has an `EXPERIMENT`; `registry` finds them.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any, ClassVar, Concatenate, Generic, NamedTuple, TypeVar

from fernn.errors import FernnError
from fernn.layout import Layout
from fernn.params import Params
from fernn.params.base import ExperimentParams
from fernn.results.claims.evidence import Evidence
from fernn.results.figures.kinds import Kind
from fernn.results.reading.selection import Criterion
from fernn.results.tables.table import PaperTable
from fernn.runs import Run

Files = dict[str, Path]
P = TypeVar("P", bound=ExperimentParams)
I = TypeVar("I")  # noqa: E741 (inputs)
K = TypeVar("K")


@dataclass(frozen=True)
class Work(Generic[I]):
    """What makes one result.

    Attributes:
        function: does it. After inputs and files it is given, for a part of a data set, the file to write and a
            function that tells a person a line; for a training or an evaluation its `Workplace` and the two files to
            write, model and metrics or measures and samples.
        inputs: what the bytes depend on besides files and code: a frozen dataclass of plain values, and of such
            dataclasses.
        files: what is read, by the names that the function knows them by.
    """

    function: Callable[Concatenate[I, Files, ...], Any]
    inputs: I
    files: Files

    def do(self, *place: Any) -> Any:
        """Do it."""
        return self.function(self.inputs, self.files, *place)

    @property
    def roots(self) -> tuple[str, ...]:
        """The function, and the modules of the dataclasses in its inputs, such as a model's."""
        parts = (type(value).__module__ for value in vars(self.inputs).values() if is_dataclass(value))
        return tuple(sorted({f"{self.function.__module__}:{self.function.__qualname__}", *parts}))

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


class Terms(NamedTuple):
    """Terms of use.

    Attributes:
        id: a URL that states them; or, if there is none, "#" and a name.
        name: a short one.
        description: what they apply to, and by whom it was made.
        redistributable: whether files that hold the data itself may be passed on.
    """

    id: str
    name: str
    description: str
    redistributable: bool = True


class Experiment(ABC, Generic[P]):
    """An experiment.

    Attributes:
        name: in params.yaml, on the command line and in file names.
        schema: of its section of params.yaml.
        criterion: what its runs are chosen by.
        table: the table that its results stand in.
        figures: the kinds of its figures.
        evidence: what claims can ask of its runs, and where these claims stand.
        content_digests: digests of source files, by file name, where the sha256 of the bytes would say too much.
    """

    name: str
    schema: type[P]
    criterion: Criterion
    table: PaperTable
    figures: tuple[Kind, ...]
    evidence: Evidence
    content_digests: ClassVar[Mapping[str, Callable[[Path], str]]] = {}

    def terms(self, params: Params) -> Terms | None:
        """The terms of use of its source data; None if the project made the data."""
        return None

    def section(self, params: Params) -> P:
        """Its section of the params."""
        section = params.section(self.name)
        assert isinstance(section, self.schema)  # the params were checked by it
        return section

    @abstractmethod
    def dataset(self, params: Params, layout: Layout, part: str) -> Work[Any]:
        """How a part of its data set is made, such as "digits" or "test-V2T".

        Raises:
            FernnError: if there is no such part; the message lists those that there are.
        """

    @abstractmethod
    def training(self, params: Params, layout: Layout, run: Run) -> Work[Any]:
        """How a run is trained. What it reads are parts of the data set."""

    @abstractmethod
    def evaluation(self, params: Params, layout: Layout, run: Run) -> Work[Any]:
        """How a run is evaluated. What it reads are parts of the data set, and "model"."""

    @abstractmethod
    def workload(self, params: Params, run: Run) -> Workload:
        """What a run costs."""

    def disk(self, params: Params, layout: Layout) -> dict[str, int]:
        """About how many bytes its data take in the end, by folder: downloads, and large data sets in results/."""
        return {}
