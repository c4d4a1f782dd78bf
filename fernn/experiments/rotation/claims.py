"""Experiment B: what claims can ask of it beyond what all flowing digits have.

Its states are not exactly equivariant (docs/differences.md), and the paper does not say so: there is no check of it.
"""

from collections.abc import Iterator

from fernn.experiments.digits.claims import MEASURES, velocity_measures
from fernn.experiments.digits.forecasts import read_velocity_errors
from fernn.experiments.rotation.params import RotationParams
from fernn.flows.names import reach
from fernn.flows.rotation import Rotation
from fernn.layout import Layout
from fernn.params import Params
from fernn.results.claims.evidence import Evidence
from fernn.runs import Run


def _speeds(params: Params, layout: Layout, run: Run) -> Iterator[tuple[int, float]]:
    data = _section(params).data
    furthest = reach(data.velocity.flow)
    steps = range(-furthest, furthest + 1)
    errors = read_velocity_errors(layout, run, [{"degrees": data.degrees * step} for step in steps])
    yield from zip(map(abs, steps), errors.tolist(), strict=True)


def _generators(params: Params, model: str) -> int:
    section = _section(params)
    return len(Rotation.parse(section.models[model].flow, section.data.degrees).generators)


def _section(params: Params) -> RotationParams:
    section = params.section("rotation")
    assert isinstance(section, RotationParams)
    return section


EVIDENCE = Evidence(code=__name__, measures={**MEASURES, **velocity_measures(_speeds)}, generators=_generators)
