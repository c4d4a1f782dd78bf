"""Experiment A: what is its own among the experiments with flowing digits."""

from fernn.experiments.digits.experiment import DigitExperiment
from fernn.experiments.digits.figures import FIGURES, velocity_kind
from fernn.experiments.experiment import kind_of
from fernn.experiments.translation.claims import EVIDENCE
from fernn.experiments.translation.figures import velocity_generalization
from fernn.experiments.translation.hidden import HIDDEN
from fernn.experiments.translation.model import FERNN, KINDS
from fernn.experiments.translation.motion import Translating
from fernn.experiments.translation.params import TranslationParams


class TranslationExperiment(DigitExperiment[TranslationParams]):
    """See `DigitExperiment`."""

    name = "translation"
    schema = TranslationParams
    figures = (*FIGURES, velocity_kind(velocity_generalization), HIDDEN)
    evidence = EVIDENCE

    def motion(self, section: TranslationParams) -> Translating:
        """How the digits move."""
        return Translating(section.data.frame)

    def model(self, section: TranslationParams, name: str) -> FERNN:
        """A model of the section, by its name there."""
        model = section.models[name]
        return kind_of(KINDS, self.name, name, model.kind)(model.flow, **section.architecture_of(name).model_dump())


EXPERIMENT = TranslationExperiment()
