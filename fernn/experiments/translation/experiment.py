"""Experiment A: what is its own among the experiments with flowing digits."""

from typing import ClassVar

from fernn.datasets.translating import Translating
from fernn.experiments.digits.experiment import DigitExperiment
from fernn.experiments.digits.figures import FIGURES, velocity_kind
from fernn.experiments.translation.evidence import EVIDENCE
from fernn.experiments.translation.figures import HIDDEN, velocity_generalization
from fernn.experiments.translation.params import TranslationParams


class TranslationExperiment(DigitExperiment[TranslationParams]):
    """See `DigitExperiment`."""

    name = "translation"
    schema = TranslationParams
    kinds: ClassVar = {"fernn": "fernn.models.predictor:FERNNPredictor"}  # the G-RNN is its V_0
    figures = (*FIGURES, velocity_kind(velocity_generalization), HIDDEN)
    evidence = EVIDENCE

    def motion(self, section: TranslationParams) -> Translating:
        """How the digits move."""
        return Translating(section.data.frame)


EXPERIMENT = TranslationExperiment()
