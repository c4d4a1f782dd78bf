"""The tests behind the verdicts, held to SciPy's own and to simulation."""

import numpy as np
import pytest
from scipy import stats

from fernn.results.claims.statistics import Estimate, equivalent, mean, positive, stated, under

ONE, OTHER = [1.0, 2.5, 2.0], [4.0, 4.5, 6.0, 5.0]


def test_a_difference_of_means_is_welchs():
    found = mean(ONE) - mean(OTHER)
    expected = stats.ttest_ind(ONE, OTHER, equal_var=False)
    assert found.value / found.error == pytest.approx(expected.statistic)
    assert found.freedom == pytest.approx(expected.df)
    for alternative, p in (("less", found.below(0)), ("greater", found.above(0))):
        assert p == pytest.approx(stats.ttest_ind(ONE, OTHER, equal_var=False, alternative=alternative).pvalue)
    assert positive(found).false == found.below(0) < 0.05 < positive(found).true == found.above(0)
    assert found.interval(0.05) == pytest.approx(expected.confidence_interval(0.9))


def test_a_bound_is_held_by_a_test_of_one_sample():
    expected = stats.ttest_1samp(ONE, 3, alternative="less").pvalue
    assert under(ONE, 3).true == pytest.approx(expected)
    assert under(ONE, 3).false == pytest.approx(1 - expected)


@pytest.mark.parametrize(("values", "p"), [([1, 3, 9e9], 1 / 27), ([1, 9e9], 1 / 9), ([1, 2, 3, 4, 9e9], 1 / 243)])
def test_a_bound_that_every_seed_exceeds(values, p):
    """By an exact test of one quantile, where the seeds lie too far apart for the mean's."""
    assert under(values, 0.5).false == pytest.approx(stats.binomtest(0, len(values), 2 / 3, "less").pvalue)
    assert under(values, 0.5).false == pytest.approx(p)
    assert under(values, 1).false > 0.1  # one of them does not exceed it


def test_a_mean_that_somebody_states():
    told = stated(5.0, 0.8, 4)
    expected = stats.ttest_ind_from_stats(np.mean(ONE), np.std(ONE, ddof=1), 3, 5.0, 0.8, 4, equal_var=False)
    found = mean(ONE) - told
    assert 2 * found.below(0) == pytest.approx(expected.pvalue)
    # without its n, the deviation is that of the mean, and for sure
    assert stated(5.0, 0.8, None) == Estimate(5.0, 0.8, np.inf)
    assert (mean(ONE) - stated(5.0, 0.8, None)).error > found.error


def test_equivalence_is_an_interval_within_the_margin():
    for centre in np.linspace(-2, 2, 41):
        estimate = Estimate(centre, 0.3, 3.5)
        low, high = estimate.interval(0.05)
        verdict = {(True, False): 1, (False, True): -1, (False, False): 0}[low > -1 and high < 1, low > 1 or high < -1]
        assert equivalent(estimate, 1.0).finds(0.05) == verdict


def test_what_it_can_find_it_finds_in_four_cases_of_five():
    draw = np.random.default_rng(0)
    for n in (2, 3, 6):
        error = 1 / np.sqrt(n)  # of samples with a deviation of 1
        resolution = Estimate(0, error, n - 1).resolution(0.05)
        found = positive(mean(draw.normal(resolution, 1, (40_000, n)))).finds(0.05)
        assert (found == 1).mean() == pytest.approx(0.8, abs=0.01)
    # more seeds see more
    assert Estimate(0, 1, 5).resolution(0.05) < Estimate(0, 1, 2).resolution(0.05)
