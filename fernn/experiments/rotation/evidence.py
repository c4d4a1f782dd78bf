"""Experiment B: what claims can ask of it beyond what all flowing digits have.

Its states are not exactly equivariant (docs/differences.md), and the paper does not say so: there is no check of it.
"""

from fernn.evaluation import velocity_index
from fernn.experiments.digits.tables import MEASURES, velocity_measures
from fernn.experiments.rotation.params import RotationParams
from fernn.flows.names import reach
from fernn.flows.rotation import Rotation
from fernn.params import Params
from fernn.results.claims.evidence import Evidence


def _speeds(params: Params) -> dict[str, int]:
    data = _section(params).data
    furthest = reach(data.velocity.flow)
    return {velocity_index(data.degrees * step): abs(step) for step in range(-furthest, furthest + 1)}


def _generators(params: Params, model: str) -> int:
    section = _section(params)
    return len(Rotation.parse(section.models[model].flow, section.data.degrees).generators)


def _section(params: Params) -> RotationParams:
    section = params.section("rotation")
    assert isinstance(section, RotationParams)
    return section


EVIDENCE = Evidence(code=__name__, measures={**MEASURES, **velocity_measures(_speeds)}, generators=_generators)
