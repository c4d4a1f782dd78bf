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

from fernn.errors import FernnError
from fernn.layout import Layout
from fernn.models.storage import Model
from fernn.params import Params
from fernn.params.base import ExperimentParams
from fernn.runs import Run

if TYPE_CHECKING:
    from fernn.results.claims.evidence import Evidence
    from fernn.results.figures.kinds import Kind
    from fernn.results.selection import Criterion
    from fernn.results.tables.table import Table

Files = dict[str, Path]
P = TypeVar("P", bound=ExperimentParams)
S = TypeVar("S", bound=BaseModel)


def only(section: S, *names: str) -> S:
    """A section with these of its values alone: a function that gets it can depend on no other one.

    Reading another value is an AttributeError, and `model_dump` has these values alone.
    """
    return section.model_construct(**{name: getattr(section, name) for name in names})


@dataclass(frozen=True)
class Work:
    """What makes one result.

    Attributes:
        function: does the work. Everything that the bytes depend on, besides code and files, is bound by keyword:
            plain values, sections of params.yaml, and frozen dataclasses such as a `Model`. It is called with `files`,
            and then, for a part of a data set, the file to write and a function that logs a line; for a training or an
            evaluation the workplace and the two files to write, model and metrics or measures and samples.
        files: what is read, by the names that the function knows them by.
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

    def model_of_kind(self, name: str, kind: str, arguments: Mapping[str, Any]) -> Model:
        """The model called `name`, of a kind in `kinds` or of a class of this package, given as "module:class".

        A class needs no entry in `kinds`, so that a new one is a new file and edits none that other runs depend on.

        Raises:
            FernnError: if there is no such kind and no such module.
        """
        if (found := self.kinds.get(kind)) or Model.is_class(kind):
            return Model(found or kind, arguments)
        raise FernnError(
            f"{self.name}.models.{name}.kind = {kind!r}: no kind of model there; expected one of "
            f"{', '.join(self.kinds)}, or a class of this package, such as {next(iter(self.kinds.values()))}"
        )

    def stand_ins(self, params: Params) -> Work | None:
        """How the files are drawn that stand in for its sources, with the folder to write to; None: no such files."""
        return None

    @abstractmethod
    def dataset(self, params: Params, layout: Layout, part: str) -> Work:
        """How a part of its data set is made, such as "digits" or "test-V2T".

        Raises:
            FernnError: if there is no such part; the message lists those that there are.
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
