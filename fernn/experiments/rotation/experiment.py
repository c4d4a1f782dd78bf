"""Experiment B: what is its own among the experiments with flowing digits."""

from typing import Any, ClassVar

from fernn.datasets.rotating import Rotating
from fernn.experiments.digits.experiment import DigitExperiment
from fernn.experiments.digits.figures import FIGURES, velocity_kind
from fernn.experiments.rotation.evidence import EVIDENCE
from fernn.experiments.rotation.figures import velocity_generalization
from fernn.experiments.rotation.params import RotationParams


class RotationExperiment(DigitExperiment[RotationParams]):
    """See `DigitExperiment`."""

    name = "rotation"
    schema = RotationParams
    kinds: ClassVar = {"fernn": "fernn.models.rotation.predictor:RotationPredictor"}  # the G-RNN is its V_0
    figures = (*FIGURES, velocity_kind(velocity_generalization))
    evidence = EVIDENCE

    def motion(self, section: RotationParams) -> Rotating:
        """How the digits move."""
        return Rotating(section.data.degrees)

    def arguments(self, section: RotationParams, name: str) -> dict[str, Any]:
        """What the class of a model is built with."""
        return {**super().arguments(section, name), "degrees": section.data.degrees}


EXPERIMENT = RotationExperiment()
