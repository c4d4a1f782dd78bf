"""Experiment B's section of params.yaml."""

from typing import Annotated, Literal

from pydantic import Field, PositiveFloat, model_validator

from fernn.experiments.digits.params import DigitData, DigitModel, DigitParams, DigitRuns, Velocity
from fernn.flows.names import ROTATION, reach
from fernn.params.base import Count, Kernel, Name, Section, Size

Flow = Annotated[str, Field(pattern=ROTATION, description="V_k^R, such as V4R")]


class RotationVelocity(Velocity):
    """The test of velocity generalization."""

    flow: Flow


class RotationData(DigitData):
    """Rotating MNIST; a generator is a multiple of `degrees` per frame. A frame smaller than the digit crops it."""

    velocity: RotationVelocity
    degrees: PositiveFloat

    @model_validator(mode="after")
    def _centred(self) -> "RotationData":
        if (self.frame - self.digit) % 2:
            raise ValueError(
                f"frame is {self.frame} and digit {self.digit}; they must differ by an even number of pixels, or a "
                "digit at rest would lie between pixels"
            )
        return self


class RotationArchitecture(Section):
    """The predictor of experiment B: regular fields of the group C_order.

    `convolution` is how the same function is computed (auto: by the channels), `frame` where the hidden state is kept.
    """

    fields: Size
    group_order: Size
    kernel_size: Kernel
    decoder_layers: Count
    convolution: Literal["steerable", "dense", "auto"]
    frame: Literal["lab", "co-moving"]


class RotationModel(DigitModel):
    """One model of experiment B."""

    flow: Flow


class RotationRuns(DigitRuns):
    """Trainings of experiment B."""

    flow: Flow


class RotationParams(DigitParams):
    """Experiment B."""

    data: RotationData
    architecture: RotationArchitecture
    models: dict[Name, RotationModel]
    runs: list[RotationRuns]

    @model_validator(mode="after")
    def _told_apart(self) -> "RotationParams":
        for flow in sorted(self.flows() | {self.data.velocity.flow}):
            if 2 * reach(flow) * self.data.degrees >= 360:
                raise ValueError(
                    f"{flow} has turns of -{reach(flow)} to {reach(flow)} times {self.data.degrees:g} degrees, some of "
                    "which are the same; they must be less than 360 degrees apart"
                )
        return self

    @model_validator(mode="after")
    def _turns(self) -> "RotationParams":
        degrees, own = self.data.degrees, self.architecture.group_order
        for order in (own, *((each.architecture or {}).get("group_order", own) for each in self.models.values())):
            steps = degrees * order / 360
            if round(steps) < 1 or abs(steps - round(steps)) > 1e-6:
                raise ValueError(
                    f"data.degrees is {degrees:g}, but architecture.group_order {order} has steps of {360 / order:g} "
                    "degrees; degrees must be a multiple of that, since each turn is an element of the group"
                )
        return self
