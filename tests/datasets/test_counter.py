import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fernn.datasets.counter import below, unit, words

COUNT = 60


@given(st.integers(0, COUNT), st.integers(0, COUNT), st.integers(1, 9), st.integers(0, 3))
def test_any_part_can_be_drawn_alone(first, count, width, epoch):
    whole = words(7, "train", epoch, 0, 2 * COUNT, width)
    assert np.array_equal(words(7, "train", epoch, first, count, width), whole[first : first + count])


def test_known_words():
    """A change here changes every data set: old results could no longer be repeated."""
    assert words(42, "train", 3, 5, 2, 6).tolist() == [
        [
            14499938097373450564, 18116705610785646079, 15789956338504513852,
            3671176898434361301, 4685191920813033889, 17666169103325830413,
        ],
        [
            941644208394900214, 4290670597764551727, 10121163452888146163,
            15501363902705022913, 9343399347390242134, 15313815600497028649,
        ],
    ]  # fmt: skip


@pytest.mark.parametrize("other", [(8, "train", 0), (7, "test", 0), (7, "train", 1)], ids=["seed", "stream", "epoch"])
def test_streams_are_independent(other):
    one, two = words(7, "train", 0, 0, 2000, 4), words(*other, 0, 2000, 4)
    assert np.intersect1d(one, two).size == 0
    together = np.corrcoef(unit(one).ravel(), unit(two).ravel())[0, 1]
    assert abs(together) < 4 / np.sqrt(one.size)


@pytest.mark.parametrize(("bound", "critical"), [(2, 15.2), (9, 31.9), (25, 59.0), (28, 63.5)])
def test_whole_numbers_are_uniform(bound, critical):
    """Chi-square of 100,000 draws; the critical value belongs to a chance of 1 in 10,000."""
    drawn = below(words(7, "train", 0, 0, 25_000, 4), bound)
    counts = np.bincount(drawn.ravel(), minlength=bound)
    assert counts.size == bound
    expected = drawn.size / bound
    assert ((counts - expected) ** 2 / expected).sum() < critical


def test_whole_numbers_at_the_ends():
    ends = np.array([0, 2**64 - 1], dtype=np.uint64)
    for bound in (1, 2, 28, 54_000):
        assert below(ends, bound).tolist() == [0, bound - 1]


def test_unit_is_uniform_and_below_one():
    assert unit(np.array([0, 2**64 - 1], dtype=np.uint64)).tolist() == [0.0, 1 - 2.0**-53]
    drawn = unit(words(7, "angles", 0, 0, 25_000, 4)).ravel()
    sorted_, grid = np.sort(drawn), np.arange(drawn.size) / drawn.size
    assert np.abs(sorted_ - grid).max() < 2.2 / np.sqrt(drawn.size)  # Kolmogorov-Smirnov, a chance of 1 in 10,000
