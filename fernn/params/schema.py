"""The shape of params.yaml, but for the sections of the experiments: these lie with each experiment."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, PositiveFloat, model_validator

from fernn.errors import FernnError
from fernn.params.base import Count, ExperimentParams, Name, Number, Section, Size

FORMS = "docker://HOST/NAME:TAG, docker://HOST/NAME@sha256:DIGEST, or the path of a file ending in .sif"
_IN_REGISTRY = re.compile(
    r"docker://(?P<host>localhost|[\w-]+(?:\.[\w-]+)+|[\w.-]+(?=:\d))(?P<port>:\d+)?"
    r"/(?P<name>[a-z0-9._-]+(?:/[a-z0-9._-]+)*)(?::(?P<tag>\w[\w.-]*))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?"
)
_FILE = re.compile(r"[^\s:]+\.sif")  # Snakemake takes no white space


@dataclass(frozen=True)
class InRegistry:
    """An image in a registry, by a tag, which may move, or by its digest, which may not.

    Attributes:
        host: of the registry, with its port if there is one.
        name: of the image there.
        tag: None if there is a digest.
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
    found = _IN_REGISTRY.fullmatch(image)
    if found:
        tag = None if found["digest"] else found["tag"] or "latest"
        return InRegistry(found["host"] + (found["port"] or ""), found["name"], tag, found["digest"])
    if not _FILE.fullmatch(image):
        raise ValueError(f"image is {image!r}; expected {FORMS}")
    return None


def _image(image: str) -> str:
    in_registry(image)  # raises
    return image


Image = Annotated[str, AfterValidator(_image), Field(description=FORMS)]


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

    `gpu_of` has how many GPUs those of an experiment ("rotation") or of a model ("rotation/FERNN-V4R") share a run
    over, where that is not `gpu`; then memory and cores are of each GPU. It changes no more than the rounding of sums.
    Where `gpu` is 0, as in a scale for CPUs, no run asks for one.
    """

    gpu_of: Mapping[str, Size] = {}


# what stands in orders to Slurm: nothing that a shell would take for its own
Ordered = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.,:@%+-]*$")]
Constraint = Annotated[str, Field(pattern=r"^[A-Za-z0-9_(\[][A-Za-z0-9_.,:@%+*&|()\[\]-]*$")]


class Slurm(Section):
    """How a cluster wants to be asked; null leaves it to the cluster.

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
    """Everything that holds at one scale; each experiment has a section more, by its name.

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
                raise ValueError(
                    f"resources.train.gpu_of names {name!r}; expected an experiment, such as {self.experiments[0]}, "
                    f"or one of its models, such as {self.experiments[0]}/"
                    f"{next(iter(self.section(self.experiments[0]).models))}"
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
