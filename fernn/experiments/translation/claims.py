"""Experiment A: what claims can ask of it beyond what all flowing digits have."""

from collections.abc import Iterator

from fernn.evaluation.equivariance import random_equivariance_error
from fernn.experiments.digits.claims import MEASURES, velocity_measures
from fernn.experiments.digits.forecasts import read_velocity_errors
from fernn.experiments.translation.params import TranslationArchitecture, TranslationParams
from fernn.flows.translation import Translation
from fernn.layout import Layout
from fernn.params import Params
from fernn.results.claims.evidence import Evidence
from fernn.runs import Run


def _speeds(params: Params, layout: Layout, run: Run) -> Iterator[tuple[int, float]]:
    velocities = Translation.parse(_section(params).data.velocity.flow).generators
    errors = read_velocity_errors(layout, run, [{"vx": vx, "vy": vy} for vx, vy in velocities])
    yield from zip((max(map(abs, velocity)) for velocity in velocities), errors.tolist(), strict=True)


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
