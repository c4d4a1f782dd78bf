"""Experiment B: what is its own among the experiments with flowing digits."""

from fernn.experiments.digits.experiment import DigitExperiment
from fernn.experiments.digits.figures import FIGURES, velocity_kind
from fernn.experiments.experiment import kind_of
from fernn.experiments.rotation.claims import EVIDENCE
from fernn.experiments.rotation.figures import velocity_generalization
from fernn.experiments.rotation.model import FERNN, KINDS
from fernn.experiments.rotation.motion import Rotating
from fernn.experiments.rotation.params import RotationParams


class RotationExperiment(DigitExperiment[RotationParams]):
    """See `DigitExperiment`."""

    name = "rotation"
    schema = RotationParams
    figures = (*FIGURES, velocity_kind(velocity_generalization))
    evidence = EVIDENCE

    def motion(self, section: RotationParams) -> Rotating:
        """How the digits move."""
        return Rotating(section.data.degrees)

    def model(self, section: RotationParams, name: str) -> FERNN:
        """A model of the section, by its name there."""
        model = section.models[name]
        return kind_of(KINDS, self.name, name, model.kind)(
            model.flow, section.data.degrees, **section.architecture_of(name).model_dump()
        )


EXPERIMENT = RotationExperiment()
