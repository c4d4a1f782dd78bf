"""Experiment A's section of params.yaml."""

from typing import Annotated

from pydantic import Field, model_validator

from fernn.experiments.digits.params import DigitData, DigitModel, DigitParams, DigitRuns, Velocity
from fernn.flows.names import TRANSLATION, check_told_apart
from fernn.params.base import Count, Kernel, Name, Section, Size

Flow = Annotated[str, Field(pattern=TRANSLATION, description="V_k^T, such as V2T")]


class TranslationVelocity(Velocity):
    """The test of velocity generalization."""

    flow: Flow


class TranslationData(DigitData):
    """Translating MNIST."""

    velocity: TranslationVelocity

    @model_validator(mode="after")
    def _holds(self) -> "TranslationData":
        if self.frame < self.digit:
            raise ValueError(f"frame is {self.frame}; it must hold a digit of {self.digit} pixels")
        return self


class TranslationArchitecture(Section):
    """The predictor of experiment A."""

    hidden_channels: Size
    kernel_size: Kernel
    decoder_layers: Count


class TranslationModel(DigitModel):
    """One model of experiment A."""

    flow: Flow


class TranslationRuns(DigitRuns):
    """Trainings of experiment A."""

    flow: Flow


class TranslationParams(DigitParams):
    """Experiment A."""

    data: TranslationData
    architecture: TranslationArchitecture
    models: dict[Name, TranslationModel]
    runs: list[TranslationRuns]

    @model_validator(mode="after")
    def _told_apart(self) -> "TranslationParams":
        check_told_apart(self.data.frame, self.flows() | {self.data.velocity.flow})
        return self
