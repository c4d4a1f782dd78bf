"""What every section of params.yaml is made of, and what all experiments have in common."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt, model_validator

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9+._-]*$")]
Count = Annotated[int, Field(ge=0)]
Models = Annotated[list[Name], Field(min_length=1)]
Seeds = Annotated[list[Count], Field(min_length=1)]
Share = Annotated[float, Field(ge=0, le=1)]


class Section(BaseModel):
    """A mapping of params.yaml; a key that it does not know is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Training(Section):
    """How every model of an experiment is trained, by Adam; threads count on a CPU only, 0 is all of them.

    `precision` holds for evaluation too: float32 is IEEE; tf32 what PyTorch has by default on CUDA, which for a CPU is
    float32; bf16 is for convolutions and products alone. `winograd` lets a CPU compute wide 3x3 convolutions in
    float32 with a quarter of the products. `validate_every` so many batches it is validated inside an epoch too, for
    curves of learning.
    """

    epochs: PositiveInt
    batch: PositiveInt
    clip_norm: PositiveFloat | None
    precision: Literal["float32", "tf32", "bf16"]
    winograd: bool
    threads: Count
    validate_every: PositiveInt | None

    def validations(self, sequences: int) -> int:
        """How often it is validated in an epoch of so many sequences."""
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
    search: list[PositiveFloat] | None = None
    seeds: Seeds | None = None
    evaluate: Annotated[Sequence[str], Field(min_length=1)]


class ExperimentParams(Section):
    """What the sections of all experiments have in common."""

    training: Training
    seeds: Seeds
    models: Mapping[Name, ExperimentModel]
    runs: Sequence[Runs]

    @model_validator(mode="after")
    def _known_models(self) -> "ExperimentParams":
        for number, group in enumerate(self.runs):
            for name in group.models:
                if name not in self.models:
                    raise ValueError(f"runs.{number}.models names {name!r}; models has {', '.join(self.models)}")
        return self
