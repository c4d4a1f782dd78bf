"""Experiment A: what claims can ask of it beyond what all flowing digits have."""

from fernn.evaluation import velocity_index
from fernn.evaluation.equivariance import random_equivariance_error
from fernn.experiments.digits.tables import MEASURES, velocity_measures
from fernn.experiments.translation.params import TranslationArchitecture, TranslationParams
from fernn.flows.translation import Translation
from fernn.params import Params
from fernn.results.claims.evidence import Evidence


def _speeds(params: Params) -> dict[str, int]:
    generators = Translation.parse(_section(params).data.velocity.flow).generators
    return {velocity_index(velocity): max(map(abs, velocity)) for velocity in generators}


def _flow(params: Params, model: str) -> Translation:
    return Translation.parse(_section(params).models[model].flow)


def _equivariance_error(params: Params, model: str) -> float:
    architecture = _section(params).architecture_of(model)
    assert isinstance(architecture, TranslationArchitecture)
    return random_equivariance_error(_flow(params, model), architecture.kernel_size)


def _section(params: Params) -> TranslationParams:
    section = params.section("translation")
    assert isinstance(section, TranslationParams)
    return section


EVIDENCE = Evidence(
    code=__name__,
    measures={**MEASURES, **velocity_measures(_speeds)},
    checks={"equivariance_error": _equivariance_error},
    generators=lambda params, model: len(_flow(params, model)),
)
