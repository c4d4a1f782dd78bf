import math

import pytest

from fernn.results.selection import Summary, summarize
from fernn.results.text import math_name, plus_minus


def test_the_sample_standard_deviation():
    assert summarize([1.0, 2.0, 6.0]) == Summary(3.0, math.sqrt((4 + 1 + 9) / 2), 3)
    assert summarize([2.5]) == Summary(2.5, None, 1)


@pytest.mark.parametrize(
    ("mean", "std", "decimals", "latex", "text"),
    [
        (8.1e-3, 6e-4, 1, False, "(8.1 ± 0.6) × 10⁻³"),
        (8.1234e-3, 6e-6, 2, False, "(8.123 ± 0.006) × 10⁻³"),
        (9.996e-4, 6e-5, 2, False, "(1.00 ± 0.06) × 10⁻³"),
        (9.996e-3, 2e-5, 2, False, "(1.000 ± 0.002) × 10⁻²"),  # rounding up does not lose the deviation
        (1.5e-4, None, 2, False, "1.50 × 10⁻⁴"),
        (0.0, 0.0, 1, False, "(0.0 ± 0.0) × 10⁰"),
        (8.1e-3, 6e-4, 1, True, r"$(8.1 \pm 0.6) \times 10^{-3}$"),
    ],
)
def test_numbers_for_readers(mean, std, decimals, latex, text):
    assert plus_minus(mean, std, decimals, latex) == text


def test_names_for_readers():
    names = ("G-RNN", "G-RNN+", "3D-CNN", "FERNN-V2T", "FERNN-V4R", "V1T")
    assert [math_name(name) for name in names] == [*names[:3], "FERNN-$V_{2}^{T}$", "FERNN-$V_{4}^{R}$", "$V_{1}^{T}$"]
    assert math_name("FERNN-V4R-exact") == "FERNN-$V_{4}^{R}$-exact"
