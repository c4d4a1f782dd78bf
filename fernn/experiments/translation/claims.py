"""Experiment A: what claims can ask of it beyond what all flowing digits have."""

from collections.abc import Iterator

import numpy as np

from fernn.evaluation.equivariance import random_equivariance_error
from fernn.experiments.digits.claims import MEASURES, velocity_measures
from fernn.experiments.translation.params import TranslationParams
from fernn.experiments.translation.velocities import read_velocity_errors
from fernn.flows.names import reach
from fernn.flows.translation import Translation
from fernn.layout import Layout
from fernn.params import Params
from fernn.results.claims.evidence import Evidence
from fernn.runs import Run


def _speeds(params: Params, layout: Layout, run: Run) -> Iterator[tuple[int, float]]:
    furthest = reach(_section(params).data.velocity.flow)
    errors = read_velocity_errors(layout, run, furthest)
    for (row, column), error in np.ndenumerate(errors):
        yield max(abs(row - furthest), abs(column - furthest)), float(error)


def _flow(params: Params, model: str) -> Translation:
    return Translation.parse(_section(params).models[model].flow)


def _equivariance_error(params: Params, model: str) -> float:
    return random_equivariance_error(_flow(params, model), _section(params).architecture.kernel_size)


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
