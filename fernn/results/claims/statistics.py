"""The tests by which claims are judged: means, differences of means (Welch), and bounds on them.

Everything works on arrays of any shape, so that a simulation can measure how often a verdict is false.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy  # loads .special at its first use; .stats has the same functions, but takes seconds to import
from numpy.typing import ArrayLike, NDArray

POWER = 0.8  # of a test, at its resolution
STAYING = 2 / 3  # share of the runs that must stay below a bound; three seeds are the fewest that can refute it


@dataclass(frozen=True)
class Estimate:
    """A mean or a difference of means: its value, its standard error, and the error's degrees of freedom."""

    value: Any
    error: Any
    freedom: Any

    def __sub__(self, other: "Estimate") -> "Estimate":
        """The difference of two independent estimates; the degrees of freedom by Welch and Satterthwaite."""
        variances = np.square(self.error), np.square(other.error)
        total = variances[0] + variances[1]
        share = variances[0] ** 2 / self.freedom + variances[1] ** 2 / other.freedom
        with np.errstate(divide="ignore", invalid="ignore"):  # without any deviation nothing is tested
            return Estimate(self.value - other.value, np.sqrt(total), total**2 / share)

    def above(self, bound: float) -> Any:
        """P of the one-sided t test of "at most `bound`"."""
        return scipy.special.stdtr(self.freedom, -self._t(bound))

    def below(self, bound: float) -> Any:
        """P of the one-sided t test of "at least `bound`"."""
        return scipy.special.stdtr(self.freedom, self._t(bound))

    def _t(self, bound: float) -> Any:
        with np.errstate(divide="ignore", invalid="ignore"):  # infinitely far, where there is no error at all
            return np.divide(self.value - bound, self.error)

    def interval(self, level: float) -> tuple[Any, Any]:
        """The interval whose ends one-sided tests of this level do not rule out: 90% for a level of 0.05."""
        reach = _quantile(self.freedom, level) * self.error
        return self.value - reach, self.value + reach

    def resolution(self, level: float) -> Any:
        """Distance of the truth from a bound at which a one-sided test finds it with probability `POWER`.

        By the noncentral t distribution, with the standard error taken for the true one.
        """
        return scipy.special.nctdtrinc(self.freedom, 1 - POWER, _quantile(self.freedom, level)) * self.error


def _quantile(freedom: Any, level: float) -> Any:
    """The value that Student's t exceeds with probability `level`."""
    return -scipy.special.stdtrit(freedom, level)


@dataclass(frozen=True)
class Decision:
    """p of the test that finds a claim true, and of the one that finds it false."""

    true: Any
    false: Any

    def finds(self, level: float) -> NDArray[np.int64]:
        """1 where the claim is found true, -1 where false, else 0."""
        return np.where(np.asarray(self.true) < level, 1, np.where(np.asarray(self.false) < level, -1, 0))


def mean(values: ArrayLike) -> Estimate:
    """The mean of n independent values, (..., n), n at least 2."""
    sample = np.asarray(values, float)
    n = sample.shape[-1]
    return Estimate(sample.mean(-1), sample.std(-1, ddof=1) / np.sqrt(n), float(n - 1))


def stated(value: float, std: float, n: int | None) -> Estimate:
    """A mean from the paper, with the standard deviation over n runs.

    Where n is not stated, the deviation is taken as the known standard error of the mean: for three runs that is as
    cautious as Student's t, for more runs more so.
    """
    return Estimate(value, std, np.inf) if n is None else Estimate(value, std / np.sqrt(n), float(n - 1))


def positive(estimate: Estimate) -> Decision:
    """Whether the estimate is above 0, or below."""
    return Decision(estimate.above(0), estimate.below(0))


def under(values: ArrayLike, bound: float) -> Decision:
    """Whether n independent values, (..., n), stay below a bound.

    True and false by the t test of their mean. Runs that diverge lie orders of magnitude apart, where that test finds
    nothing. So the claim is also false where every value exceeds the bound: if at least `STAYING` of all runs stay
    below it, that has a probability of at most (1 - STAYING)^n, whatever the distribution.
    """
    sample = np.asarray(values, float)
    estimate = mean(sample)
    beyond = np.where((sample > bound).all(-1), (1 - STAYING) ** sample.shape[-1], 1.0)
    return Decision(estimate.below(bound), np.minimum(estimate.above(bound), beyond))


def equivalent(estimate: Estimate, margin: float) -> Decision:
    """Whether the estimate is within +-margin (two one-sided tests, TOST), or beyond one of the ends."""
    inside = np.maximum(estimate.above(-margin), estimate.below(margin))
    return Decision(inside, np.minimum(estimate.above(margin), estimate.below(-margin)))
