"""What the sections of A and B have in common; sizes in pixels, frames and sequences."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationError, model_validator

from fernn.flows.names import still
from fernn.params import Params
from fernn.params.base import ExperimentModel, ExperimentParams, Kind, Name, Number, Runs, Section, Seed, Size, Training


def _at_a_time(value: Any) -> int | Literal["auto"] | None:
    whole = isinstance(value, int) and not isinstance(value, bool)
    if value is None or value == "auto" or (whole and value > 0):
        return value
    raise ValueError(
        f"micro_batch is {value!r}; expected a number of sequences, auto (what fits the card) or null (the whole batch)"
    )


class DigitTraining(Training):
    """Training on sequences of digits: `micro_batch` of a batch's sequences are computed at a time.

    auto is what fits the card's free memory, null the whole batch.
    """

    micro_batch: Annotated[Number | Literal["auto"] | None, BeforeValidator(_at_a_time)]


class Length(Section):
    """The test of length generalization: number of sequences and of predicted frames."""

    sequences: Number
    predicted: Size


class Velocity(Section):
    """The test of velocity generalization: sequences at each velocity of the flow."""

    sequences: Number
    flow: str


class DigitData(Section):
    """What the flowing MNIST data sets have in common; sizes in pixels, frames and sequences."""

    frame: Size
    digit: Size
    digits: Size
    held_out: Annotated[float, Field(gt=0, lt=1)]
    seen: Size
    predicted: Size
    train: Number
    validation: Number
    test: Number
    length: Length
    velocity: Velocity
    seed: Seed

    @model_validator(mode="after")
    def _sizes(self) -> "DigitData":
        if 28 % self.digit:
            raise ValueError(f"digit is {self.digit}; digits of 28 pixels are averaged down to 28, 14, 7 or 4")
        return self


class DigitModel(ExperimentModel):
    """One model: its class, one of the kinds of its experiment or "module:class", and its generators.

    `architecture` overrides values of the experiment's own, such as a width. `predicted` is the number of frames that
    the model predicts in training, if it is not that of the data. This is ours: rollouts last longer with more of them
    (docs/rollouts.md).
    """

    kind: Kind = "fernn"
    flow: str
    predicted: Size | None = None
    architecture: Mapping[str, Any] | None = None


class DigitRuns(Runs):
    """A group of trainings; its tests are those of the paper's Section 5.1."""

    evaluate: Annotated[Sequence[Literal["test", "length", "velocity"]], Field(min_length=1)]


class DigitParams(ExperimentParams):
    """An experiment with flowing digits."""

    training: DigitTraining
    data: DigitData
    architecture: Section
    models: Mapping[Name, DigitModel]
    runs: Sequence[DigitRuns]

    @model_validator(mode="after")
    def _architectures(self) -> "DigitParams":
        for name in self.models:
            self.architecture_of(name)
        return self

    def architecture_of(self, model: str) -> Section:
        """The architecture of the experiment, with what the model overrides. ValueError if that is not allowed."""
        own = {**self.architecture.model_dump(), **(self.models[model].architecture or {})}
        try:
            return type(self.architecture).model_validate(own)
        except ValidationError as error:
            found = error.errors()[0]
            key = ".".join(["models", model, "architecture", *map(str, found["loc"])])
            raise ValueError(f"{key} = {found['input']!r}: {found['msg'][0].lower()}{found['msg'][1:]}") from None


def tested_on(test: str, flow: str) -> str:
    """The sequences on which runs trained on a flow are tested, such as "test-V2T".

    "velocity" gives every digit the velocities of a grid, so one set of digits and starts serves all training flows.
    """
    return f"{test}-{still(flow) if test == 'velocity' else flow}"


def digit_section(params: Params, experiment: str) -> DigitParams:
    """The section of an experiment with flowing digits."""
    section = params.section(experiment)
    assert isinstance(section, DigitParams)
    return section
