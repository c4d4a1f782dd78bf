"""What became of a claim."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from fernn.results.claims.claim import Asked, Cell, Claim
from fernn.results.claims.evidence import Sample


class Verdict(Enum):
    """What became of a claim."""

    REPRODUCED = "reproduced"
    NOT_REPRODUCED = "not reproduced"
    INCONCLUSIVE = "inconclusive"
    NOT_RUN = "not run"


@dataclass(frozen=True)
class Found:
    """What was found in the runs.

    Attributes:
        ours: our number: a mean in the unit of the measure, or a ratio or a difference.
        tested: what is tested: ours as a ratio to the paper's, or its difference from it, where the paper has a number;
            else ours.
        low: lower end of its interval at the level of the tests.
        high: upper end.
        resolution: how far from the bound the truth has to lie to be found in four cases of five: a factor or a
            difference.
        true: p of the test that would find the claim true.
        false: p of the one that would find it false.
    """

    ours: float
    tested: float | None = None
    low: float | None = None
    high: float | None = None
    resolution: float | None = None
    true: float | None = None
    false: float | None = None


@dataclass(frozen=True)
class Judgement:
    """A claim, the verdict and why, and the runs behind it; the level of its tests, where some were made."""

    claim: Claim
    verdict: Verdict
    reason: str = ""
    found: Found | None = None
    samples: tuple[Sample, ...] = ()
    level: float | None = None


def cell_of(judgements: Iterable[Judgement], experiment: str, measure: str, flow: str, model: str) -> Judgement | None:
    """The judgement of a cell of the paper's tables; None where the paper has none, or none that we have."""
    asked = (Asked(flow=flow, model=model, measure=measure),)
    found = (j for j in judgements if isinstance(j.claim, Cell))
    return next((j for j in found if (j.claim.experiment, j.claim.asks) == (experiment, asked)), None)
