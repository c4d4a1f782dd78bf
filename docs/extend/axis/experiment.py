"""The experiment: what is its own among the experiments with flowing digits."""

from pydantic import PositiveInt

from fernn.experiment import kind_of
from fernn.experiments.axis.model import FERNN
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

    def motion(self, section: AxisParams) -> Sliding:
        """How the digits move."""
        return Sliding(section.data.frame)

    def model(self, section: AxisParams, name: str) -> FERNN:
        """A model of the section, by its name there."""
        model = section.models[name]
        network = kind_of({"fernn": FERNN}, self.name, name, model.kind)
        return network(model.flow, **section.architecture_of(name).model_dump())


EXPERIMENT = AxisExperiment()
