"""The experiment: what is its own among the experiments with flowing digits."""

from typing import ClassVar

from pydantic import PositiveInt

from fernn.experiments.axis.motion import Sliding
from fernn.experiments.digits.experiment import DigitExperiment
from fernn.experiments.digits.params import DigitParams
from fernn.params.base import Count, Section


class Architecture(Section):
    """The network's sizes."""

    hidden_channels: PositiveInt
    kernel_size: PositiveInt
    decoder_layers: Count


class AxisParams(DigitParams):
    """Its section of params.yaml."""

    architecture: Architecture


class AxisExperiment(DigitExperiment[AxisParams]):
    """Digits that move along one axis."""

    name = "axis"
    schema = AxisParams
    kinds: ClassVar = {"fernn": "fernn.experiments.axis.model:HorizontalPredictor"}

    def motion(self, section: AxisParams) -> Sliding:
        """How the digits move."""
        return Sliding(section.data.frame)


EXPERIMENT = AxisExperiment()
