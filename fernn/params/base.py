"""The shape of params.yaml: what every section is made of, what all experiments have in common, and the other keys."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PositiveFloat, model_validator

from fernn.errors import FernnError
from fernn.flows.names import in_name, still

IMAGES = "docker://HOST/NAME:TAG, docker://HOST/NAME@sha256:DIGEST, or the path of a file ending in .sif"
_IN_REGISTRY = re.compile(
    r"docker://(?P<host>localhost|[\w-]+(?:\.[\w-]+)+|[\w.-]+(?=:\d))(?P<port>:\d+)?"
    r"/(?P<name>[a-z0-9._-]+(?:/[a-z0-9._-]+)*)(?::(?P<tag>\w[\w.-]*))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?"
)
_FILE = re.compile(r"[^\s:]+\.sif")  # Snakemake takes no white space


def once(values: Sequence[object]) -> Sequence[object]:
    """A list without duplicates; numbers are equal if a run's id gives them the same name."""
    names = [f"{value:g}" if isinstance(value, float) else str(value) for value in values]
    if twice := [name for name in names if names.count(name) > 1]:
        raise ValueError(f"duplicate value {twice[0]}; keep one")
    return values


def _odd(size: int) -> int:
    if size % 2 == 0:
        raise ValueError(f"{size} is even; a kernel has a pixel in its middle, so its size is odd")
    return size


@dataclass(frozen=True)
class InRegistry:
    """An image in a registry.

    Attributes:
        host: of the registry, with its port if there is one.
        name: of the image there.
        tag: may move to another image; None if there is a digest.
        digest: such as sha256:0123...
    """

    host: str
    name: str
    tag: str | None
    digest: str | None


def in_registry(image: str) -> InRegistry | None:
    """The parts of an image's address; None for a file of Apptainer's.

    Raises:
        ValueError: if it is neither.
    """
    if found := _IN_REGISTRY.fullmatch(image):
        tag = None if found["digest"] else found["tag"] or "latest"
        return InRegistry(found["host"] + (found["port"] or ""), found["name"], tag, found["digest"])
    if not _FILE.fullmatch(image):
        raise ValueError(f"image is {image!r}; expected {IMAGES}")
    return None


def _image(image: str) -> str:
    in_registry(image)  # raises
    return image


Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9+._-]*$")]
Kind = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9+._-]*(:[A-Za-z_][A-Za-z0-9_]*)?$")]  # or "module:class"
# what no machine holds is refused by its key, before anything is made
Size = Annotated[int, Field(gt=0, le=10_000)]  # pixels, frames, channels
Number = Annotated[int, Field(gt=0, le=10**9)]  # sequences, epochs, megabytes, minutes
Count = Annotated[int, Field(ge=0, le=10_000)]
Seed = Annotated[int, Field(ge=0, lt=2**63)]  # torch takes no larger one
Kernel = Annotated[int, Field(gt=0, le=99), AfterValidator(_odd)]
Share = Annotated[float, Field(ge=0, le=1)]
Models = Annotated[list[Name], Field(min_length=1), AfterValidator(once)]
Seeds = Annotated[list[Seed], Field(min_length=1), AfterValidator(once)]
Rates = Annotated[list[PositiveFloat], Field(min_length=1), AfterValidator(once)]
Image = Annotated[str, AfterValidator(_image), Field(description=IMAGES)]
# arguments of Slurm's commands: nothing that a shell would interpret
Ordered = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.,:@%+-]*$")]
Constraint = Annotated[str, Field(pattern=r"^[A-Za-z0-9_(\[][A-Za-z0-9_.,:@%+*&|()\[\]-]*$")]


class Section(BaseModel):
    """A mapping of params.yaml. An unknown key is an error, and so is a value of another type."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Training(Section):
    """How every model of an experiment is trained, by Adam; threads count on a CPU only, 0 is all of them.

    `precision` holds for evaluation too: float32 is IEEE; tf32 what PyTorch has by default on CUDA, which for a CPU is
    float32; bf16 is for convolutions and products alone. `winograd` lets a CPU compute wide 3x3 convolutions in
    float32 with a quarter of the products. `validate_every` is the number of batches between two validations inside
    an epoch, for learning curves; null validates at its end alone.
    """

    epochs: Number
    batch: Number
    clip_norm: PositiveFloat | None
    precision: Literal["float32", "tf32", "bf16"]
    winograd: bool
    threads: Annotated[int, Field(ge=0, le=1024)]
    validate_every: Number | None

    def validations(self, sequences: int) -> int:
        """Number of validations in an epoch of so many sequences."""
        batches = -(-sequences // self.batch)
        return -(-batches // self.validate_every) if self.validate_every else 1


class ExperimentModel(Section):
    """One model of an experiment: its learning rate, unless a group of runs searches for one."""

    learning_rate: PositiveFloat


class Runs(Section):
    """A group of trainings on the data of one flow, and what they are evaluated on.

    `search` replaces the models' own learning rates by a grid, `seeds` those of the experiment.
    """

    flow: str
    models: Models
    search: Rates | None = None
    seeds: Seeds | None = None
    evaluate: Annotated[Sequence[str], Field(min_length=1)]


class ExperimentParams(Section):
    """What the sections of all experiments have in common."""

    training: Training
    seeds: Seeds
    models: Mapping[Name, ExperimentModel]
    runs: Sequence[Runs]

    def flows(self) -> set[str]:
        """The flows of models and of data."""
        of_models = {getattr(model, "flow", None) for model in self.models.values()}
        return {flow for flow in of_models | {group.flow for group in self.runs} if flow is not None}

    @model_validator(mode="after")
    def _known_models(self) -> "ExperimentParams":
        for number, group in enumerate(self.runs):
            for name in group.models:
                if name not in self.models:
                    raise ValueError(f"runs.{number}.models names {name!r}; models has {', '.join(self.models)}")
        return self

    @model_validator(mode="after")
    def _names_of_flows(self) -> "ExperimentParams":
        for name, model in self.models.items():
            named, own = in_name(name), getattr(model, "flow", None)
            if name == "G-RNN" and own and own != still(own):
                raise ValueError(f"models.G-RNN has the flow {own}; the G-RNN is the model of {still(own)}: change one")
            if named is not None and own is not None and named != own:
                raise ValueError(f"models.{name} has the flow {own}; its name says {named}: change one")
        return self

    @model_validator(mode="after")
    def _seeds_alike(self) -> "ExperimentParams":
        """The seeds of a model make one cell of a table, so what is measured of one is measured of all."""
        measured: dict[tuple[str, str], dict[int, set[str]]] = {}
        for group in self.runs:
            for model in group.models:
                by_seed = measured.setdefault((group.flow, model), {})
                for seed in group.seeds or self.seeds:
                    by_seed.setdefault(seed, set()).update(group.evaluate)
        for (flow, model), by_seed in measured.items():
            first, *others = by_seed.items()
            for seed, names in others:
                if names != first[1]:
                    raise ValueError(
                        f"runs evaluates seed {first[0]} of {model} on {flow} by {', '.join(sorted(first[1]))} and "
                        f"seed {seed} by {', '.join(sorted(names))}; ask for the same of all seeds of a model"
                    )
        return self

    @model_validator(mode="after")
    def _rates_of_names(self) -> "ExperimentParams":
        rates = [model.learning_rate for model in self.models.values()]
        names: dict[str, float] = {}
        for rate in rates + [rate for group in self.runs for rate in group.search or ()]:
            other = names.setdefault(f"{rate:g}", rate)
            if other != rate:
                raise ValueError(f"the rates {other!r} and {rate!r} are both lr{rate:g} in the name of a run; keep one")
        return self


class Mnist(Section):
    """Where the digits come from: sources are tried in order; without any, the folder is part of the repository."""

    folder: str
    sources: list[str]


class Resources(Section):
    """What one job asks of a machine: memory in MB, time in minutes, CPU cores, GPUs."""

    mem_mb: Number
    runtime: Number
    cpus: Size
    gpu: Count


class TrainResources(Resources):
    """What a training asks for.

    `gpu_of` is the number of GPUs that share a run of an experiment ("rotation") or of a model ("rotation/FERNN-V4R"),
    where that is not `gpu`; memory and cores are then of each GPU. It changes no more than the rounding of sums.
    Where `gpu` is 0, as in a scale for CPUs, no run asks for one.
    """

    gpu_of: Mapping[str, Size] = {}


class Slurm(Section):
    """What jobs on a cluster ask Slurm for; null leaves it to the cluster.

    `gpus` is how GPUs are asked for: as --gpus, as --gres=gpu:, or not at all, where a partition says enough.
    """

    account: Ordered | None
    qos: Ordered | None
    partition: Ordered | None
    gpu_partition: Ordered | None
    constraint: Constraint | None
    gpus: Literal["gpus", "gres", "none"]
    gpu_model: Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.]*$")] | None


class AllResources(Section):
    """What jobs ask for, by kind of job, and how."""

    dataset: Resources
    train: TrainResources
    evaluate: Resources
    slurm: Slurm


class Params(Section):
    """Everything that holds at one scale; each experiment adds a section of its name.

    A training saves its state at least every `checkpoint_minutes`, inside an epoch too.
    """

    scale: Name
    allow_cpu: bool
    checkpoint_minutes: PositiveFloat
    experiments: Annotated[list[str], Field(min_length=1)]
    image: Image | None
    mnist: Mnist
    resources: AllResources

    @model_validator(mode="after")
    def _gpus_of_models(self) -> "Params":
        for name in self.resources.train.gpu_of:
            experiment, _, model = name.partition("/")
            models = getattr(getattr(self, experiment, None), "models", None)
            if models is None or (model and model not in models):
                first = self.experiments[0]
                raise ValueError(
                    f"resources.train.gpu_of names {name!r}; expected an experiment, such as {first}, "
                    f"or one of its models, such as {first}/{next(iter(self.section(first).models))}"
                )
        return self

    def section(self, experiment: str) -> ExperimentParams:
        """The section of an experiment.

        Raises:
            FernnError: if there is none of that name.
        """
        section = getattr(self, experiment, None)
        if not isinstance(section, ExperimentParams):
            raise FernnError(f"experiment {experiment!r}: params.yaml has no section of that name.")
        return section
