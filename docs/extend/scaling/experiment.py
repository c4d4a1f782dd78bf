"""The experiment: what is its own among the experiments with flowing digits."""

from typing import Any, ClassVar

from pydantic import PositiveFloat, PositiveInt

from fernn.experiments.digits.experiment import DigitExperiment
from fernn.experiments.digits.params import DigitData, DigitParams
from fernn.experiments.scaling.motion import Zooming
from fernn.params.base import Count, Section


class Data(DigitData):
    """Zooming digits; `factor` is the smallest zoom per frame."""

    factor: PositiveFloat


class Architecture(Section):
    """The network's sizes."""

    hidden_channels: PositiveInt
    kernel_size: PositiveInt
    decoder_layers: Count


class ScalingParams(DigitParams):
    """Its section of params.yaml."""

    data: Data
    architecture: Architecture


class ScalingExperiment(DigitExperiment[ScalingParams]):
    """Digits that grow and shrink."""

    name = "scaling"
    schema = ScalingParams
    kinds: ClassVar = {"fernn": "fernn.experiments.scaling.model:ScalingPredictor"}

    def motion(self, section: ScalingParams) -> Zooming:
        """How the digits move."""
        return Zooming(section.data.factor)

    def arguments(self, section: ScalingParams, name: str) -> dict[str, Any]:
        """What the class of a model is built with."""
        return {**super().arguments(section, name), "factor": section.data.factor}


EXPERIMENT = ScalingExperiment()
