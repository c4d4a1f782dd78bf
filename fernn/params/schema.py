"""The shape of params.yaml, but for the sections of the experiments: these lie with each experiment."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, PositiveInt

from fernn.errors import FernnError
from fernn.params.base import Count, ExperimentParams, Name, Section
from fernn.params.image import FORMS, in_registry


def _image(image: str) -> str:
    in_registry(image)
    return image


Image = Annotated[str, AfterValidator(_image), Field(description=FORMS)]


class Mnist(Section):
    """Where the digits come from: sources are tried in order; without any, the folder is part of the repository."""

    folder: str
    sources: list[str]


class Resources(Section):
    """What one job asks of a machine: memory in MB, time in minutes, CPU cores, GPUs."""

    mem_mb: PositiveInt
    runtime: PositiveInt
    cpus: PositiveInt
    gpu: Count


class Slurm(Section):
    """How a cluster wants to be asked; null leaves it to the cluster.

    `gpus` is how GPUs are asked for: as --gpus, as --gres=gpu:, or not at all, where a partition says enough.
    """

    account: str | None
    qos: str | None
    partition: str | None
    gpu_partition: str | None
    constraint: str | None
    gpus: Literal["gpus", "gres", "none"]
    gpu_model: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.]+$")] | None


class AllResources(Section):
    """What jobs ask for, by kind of job, and how."""

    dataset: Resources
    train: Resources
    evaluate: Resources
    slurm: Slurm


class Params(Section):
    """Everything that holds at one scale; each experiment has a section more, by its name."""

    scale: Name
    allow_cpu: bool
    experiments: Annotated[list[str], Field(min_length=1)]
    image: Image | None
    mnist: Mnist
    resources: AllResources

    def section(self, experiment: str) -> ExperimentParams:
        """The section of an experiment.

        Raises:
            FernnError: if there is none of that name.
        """
        section = getattr(self, experiment, None)
        if not isinstance(section, ExperimentParams):
            raise FernnError(f"experiment {experiment!r}: params.yaml has no section of that name.")
        return section
