"""What an experiment is: its section of params.yaml, its work stage by stage, and how its results are shown.

The experiments themselves are in `fernn.experiments`. This base is below `fernn.results`, which shows any of them.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, is_dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, NamedTuple, TypeVar

from pydantic import BaseModel

from fernn.layout import Layout
from fernn.models.storage import Model
from fernn.params import Params
from fernn.params.base import ExperimentParams
from fernn.runs import Run

if TYPE_CHECKING:
    from fernn.results.claims.evidence import Evidence
    from fernn.results.figures import Kind
    from fernn.results.selection import Criterion
    from fernn.results.tables import Table

Files = dict[str, Path]
P = TypeVar("P", bound=ExperimentParams)
S = TypeVar("S", bound=BaseModel)


def only(section: S, *names: str) -> S:
    """A section with these values alone, so that a function can depend on no other one: reading it is an error."""
    return section.model_construct(**{name: getattr(section, name) for name in names})


@dataclass(frozen=True)
class Work:
    """What makes one result.

    Attributes:
        function: does the work. Everything that the bytes depend on, besides code and files, is bound by keyword:
            plain values, sections of params.yaml, and frozen dataclasses such as a `Model`. It is called with `files`,
            and then, for a part of a data set, the file to write; for a training or an evaluation the workplace and the
            two files to write, model and metrics or measures and samples.
        files: what is read, by role.
    """

    function: partial[Any]
    files: Files

    @property
    def inputs(self) -> dict[str, Any]:
        """What the bytes depend on besides code and files."""
        return self.function.keywords

    @property
    def roots(self) -> tuple[str, ...]:
        """The function, and the modules of the model and of other dataclasses in its inputs."""
        does = self.function.func
        parts = (
            value.module if isinstance(value, Model) else type(value).__module__
            for value in self.inputs.values()
            if is_dataclass(value)
        )
        return tuple(sorted({f"{does.__module__}:{does.__qualname__}", *parts}))

    @property
    def plain(self) -> dict[str, Any]:
        """The inputs as plain values, as records keep them. Dataclasses include their class name."""
        return {name: _plain(value) for name, value in self.inputs.items()}

    def do(self, *place: Any) -> Any:
        """Make the result."""
        return self.function(self.files, *place)


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump()
    if is_dataclass(value) and not isinstance(value, type):
        return {"class": type(value).__name__, **asdict(value)}
    return value


@dataclass(frozen=True)
class Pass:
    """Sequences that go through a network."""

    sequences: int
    side: int  # of a frame in pixels
    frames: int  # that the network takes in
    predicted: int | None = None  # frames that it makes, where it makes any


@dataclass(frozen=True)
class Workload:
    """What a run puts through its network: in an epoch of training and its validations, and in its evaluation."""

    epoch: Pass
    validation: Pass
    evaluation: tuple[Pass, ...]


class Terms(NamedTuple):
    """Terms of use."""

    id: str  # a URL that states them; or, if there is none, "#" and a name
    name: str
    description: str  # what they apply to, and who made it
    redistributable: bool = True  # whether files that hold the data itself may be passed on


class Experiment(ABC, Generic[P]):
    """An experiment.

    Attributes:
        name: in params.yaml, on the command line and in file names.
        schema: of its section of params.yaml.
        kinds: the classes of its networks by `kind` in params.yaml, each as "module:class".
        criterion: what its runs are chosen by.
        table: the table that has its results.
        figures: the kinds of its figures.
        evidence: what claims can ask of its runs, and the file of these claims.
        content_digests: digests of source files, by file name, where the sha256 of the bytes would say too much.
    """

    name: str
    schema: type[P]
    kinds: ClassVar[Mapping[str, str]]
    criterion: "Criterion"
    table: "Table"
    figures: "tuple[Kind, ...]"
    evidence: "Evidence"
    content_digests: ClassVar[Mapping[str, Callable[[Path], str]]] = {}

    def terms(self, params: Params) -> Terms | None:
        """The terms of use of its source data; None if the project made the data."""
        return None

    def section(self, params: Params) -> P:
        """Its section of the params."""
        section = params.section(self.name)
        assert isinstance(section, self.schema)  # the params were checked by it
        return section

    def checked(self, section: P) -> P:
        """A section of params.yaml, if each of its models is of a kind in `kinds` or names a class of this package.

        A new class needs no entry in `kinds`: an edit of them would make other runs outdated.

        Raises:
            ValueError: naming the model, and the kinds.
        """
        for name, model in section.models.items():
            kind = getattr(model, "kind", None)
            if kind is not None and kind not in self.kinds and not Model.is_class(kind):
                raise ValueError(
                    f"models.{name}.kind is {kind!r}; expected one of {', '.join(self.kinds)}, or a class of this "
                    f"package, such as {next(iter(self.kinds.values()))}"
                )
        return section

    def model_of_kind(self, kind: str, arguments: Mapping[str, Any]) -> Model:
        """A model of a kind in `kinds`, or of the class that `kind` names."""
        return Model(self.kinds.get(kind, kind), arguments)

    def stand_ins(self, params: Params) -> Work | None:
        """How synthetic sources are drawn, into the folder that the function gets; None if the sources are real."""
        return None

    @abstractmethod
    def dataset(self, params: Params, layout: Layout, part: str) -> Work:
        """How a part of its data set is made, such as "digits" or "test-V2T".

        Raises:
            FernnError: if there is no such part; the message lists the parts.
        """

    @abstractmethod
    def training(self, params: Params, layout: Layout, run: Run) -> Work:
        """How a run is trained. What it reads are parts of the data set."""

    @abstractmethod
    def evaluation(self, params: Params, layout: Layout, run: Run) -> Work:
        """How a run is evaluated. What it reads are parts of the data set, and "model"."""

    @abstractmethod
    def workload(self, params: Params, run: Run) -> Workload:
        """What a run costs."""

    def disk(self, params: Params, layout: Layout) -> dict[str, int]:
        """About how many bytes its data take in the end, by folder: downloads, and large data sets in results/."""
        return {}
