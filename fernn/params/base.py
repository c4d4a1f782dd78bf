"""What every section of params.yaml is made of, and what all experiments have in common."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PositiveFloat, model_validator

from fernn.flows.names import in_name, still

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9+._-]*$")]
Kind = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9+._-]*(:[A-Za-z_][A-Za-z0-9_]*)?$")]  # or "module:class"
# what no machine holds is refused by its key, before anything is made
Size = Annotated[int, Field(gt=0, le=10_000)]  # pixels, frames, channels
Number = Annotated[int, Field(gt=0, le=10**9)]  # sequences, epochs, megabytes, minutes
Count = Annotated[int, Field(ge=0, le=10_000)]
Seed = Annotated[int, Field(ge=0, lt=2**63)]  # torch takes no larger one


def once(values: Sequence[object]) -> Sequence[object]:
    """A list that gives nothing twice; numbers count as the same where they have the same name in a run's id."""
    names = [f"{value:g}" if isinstance(value, float) else str(value) for value in values]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ValueError(f"{twice} stands twice; keep one")
    return values


def _odd(size: int) -> int:
    if size % 2 == 0:
        raise ValueError(f"{size} is even; a kernel has a pixel in its middle, so its size is odd")
    return size


Kernel = Annotated[int, Field(gt=0, le=99), AfterValidator(_odd)]
Models = Annotated[list[Name], Field(min_length=1), AfterValidator(once)]
Seeds = Annotated[list[Seed], Field(min_length=1), AfterValidator(once)]
Rates = Annotated[list[PositiveFloat], Field(min_length=1), AfterValidator(once)]
Share = Annotated[float, Field(ge=0, le=1)]


class Section(BaseModel):
    """A mapping of params.yaml; a key that it does not know is an error, and so is a value of another type."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Training(Section):
    """How every model of an experiment is trained, by Adam; threads count on a CPU only, 0 is all of them.

    `precision` holds for evaluation too: float32 is IEEE; tf32 what PyTorch has by default on CUDA, which for a CPU is
    float32; bf16 is for convolutions and products alone. `winograd` lets a CPU compute wide 3x3 convolutions in
    float32 with a quarter of the products. `validate_every` so many batches it is validated inside an epoch too, for
    curves of learning.
    """

    epochs: Number
    batch: Number
    clip_norm: PositiveFloat | None
    precision: Literal["float32", "tf32", "bf16"]
    winograd: bool
    threads: Annotated[int, Field(ge=0, le=1024)]
    validate_every: Number | None

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
    search: Rates | None = None
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

    def flows(self) -> set[str]:
        """The flows of models and of data."""
        of_models = {getattr(model, "flow", None) for model in self.models.values()}
        return {flow for flow in of_models | {group.flow for group in self.runs} if flow is not None}

    @model_validator(mode="after")
    def _names_of_flows(self) -> "ExperimentParams":
        for name, model in self.models.items():
            named, own = in_name(name), getattr(model, "flow", None)
            if name == "G-RNN" and own and own != still(own):
                raise ValueError(
                    f"models.G-RNN has the flow {own}; the G-RNN is the model of {still(own)}: mend one of them"
                )
            if named is not None and own is not None and named != own:
                raise ValueError(f"models.{name} has the flow {own}; its name says {named}: mend one of them")
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
