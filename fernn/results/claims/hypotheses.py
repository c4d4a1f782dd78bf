"""What each kind of claim says of numbers: the quantity that it is about, and the test of it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fernn.errors import FernnError
from fernn.results.claims.claim import Bound, Cell, Claim, Factor, Line, Order
from fernn.results.claims.evidence import Sample
from fernn.results.claims.statistics import Decision, Estimate, equivalent, mean, positive, stated, under


@dataclass(frozen=True)
class Tested:
    """What was tested: our number, in the measure's unit or as a ratio; the quantity (logarithm of a ratio, or a
    difference) with its error; and the decision.
    """

    ours: float
    quantity: Estimate
    decision: Decision


def decide(claim: Claim, samples: Sequence[Sample], sizes: Sequence[int] = ()) -> Tested:
    """Test a claim.

    Args:
        claim: of any kind but `Exact`.
        samples: one for each of `claim.asks`, of two seeds or more each.
        sizes: |V| of each model of a `Line`.

    Raises:
        FernnError: if the claim is about a ratio, and the measure is one of differences.
    """
    ratio, lower = samples[0].measure.ratio, samples[0].measure.lower
    if not ratio and not isinstance(claim, Cell | Order):
        raise FernnError(f"{claim.text!r} is about a ratio, but {samples[0].asked.measure} is compared by differences.")
    logs = [np.log(sample.values) if sample.measure.ratio else np.array(sample.values) for sample in samples]
    if isinstance(claim, Cell):
        value, std = (math.log(claim.value), claim.std / claim.value) if ratio else (claim.value, claim.std)
        apart = mean(logs[0]) - stated(value, std, claim.n)
        ours = float(np.mean(samples[0].values))
        return Tested(ours, apart, equivalent(apart, math.log(claim.margin) if ratio else claim.margin))
    if isinstance(claim, Factor):
        apart = mean(logs[1]) - mean(logs[0])
        ours = exp(apart.value)
        apart = apart - stated(math.log(claim.value), (claim.std or 0.0) / claim.value, claim.n)
        return Tested(ours, apart, equivalent(apart, math.log(claim.margin)))
    if isinstance(claim, Order):
        apart = mean(logs[1]) - mean(logs[0]) if lower else mean(logs[0]) - mean(logs[1])
        return Tested(exp(apart.value) if ratio else apart.value, apart, positive(apart))
    if isinstance(claim, Bound):
        level = mean(logs[0])
        return Tested(exp(level.value), level, under(level, math.log(claim.below)))
    assert isinstance(claim, Line)
    small, middle, large = (np.array(sample.values) for sample in samples)
    off = mean(_off_the_line(small, middle, large, sizes))
    return Tested(exp(off.value), off, equivalent(off, math.log(claim.margin)))


def exp(logarithm: float) -> float:
    """What it is the logarithm of; infinite where that is beyond all numbers, as the end of a wide interval may be."""
    with np.errstate(over="ignore"):
        return float(np.exp(logarithm))


def _off_the_line(
    small: NDArray[np.float64], middle: NDArray[np.float64], large: NDArray[np.float64], sizes: Sequence[int]
) -> NDArray[np.float64]:
    """Logarithm of the middle cost over that on the straight line between the others, by seed."""
    share = (sizes[1] - sizes[0]) / (sizes[2] - sizes[0])
    return np.log(middle / (small + share * (large - small)))
