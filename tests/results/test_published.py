import math

import pytest

from fernn.results.names import math_name, plus_minus
from fernn.results.reading.summary import Summary, summarize
from fernn.results.tables.published import Published, claims, compare, order, published

RANKING = ["G-RNN", "FERNN-V1T", "FERNN-V2T"]
PAPER = Published(8.0e-3, 6.0e-4, "Table 1")


def test_the_sample_standard_deviation():
    assert summarize([1.0, 2.0, 6.0]) == Summary(3.0, math.sqrt((4 + 1 + 9) / 2), 3)
    assert summarize([2.5]) == Summary(2.5, None, 1)


@pytest.mark.parametrize(
    ("table", "experiment", "flow", "model", "value", "std"),
    [
        ("table1", "translation", "V2T", "G-RNN", 8.1e-3, 6e-4),
        ("table1", "translation", "V2T", "FERNN-V1T", 5.3e-4, 8e-5),
        ("table1", "translation", "V2T", "FERNN-V2T", 1.5e-4, 2e-5),
        ("table1", "rotation", "V4R", "G-RNN", 4.0e-3, 5e-4),
        ("table1", "rotation", "V4R", "FERNN-V4R", 6.1e-4, 3e-5),
        ("table2", "kth", "V2T", "3D-CNN", 0.626, 0.02),
        ("table2", "kth", "V2T", "G-RNN", 0.665, 0.03),
        ("table2", "kth", "V2T", "FERNN-V2T", 0.716, 0.04),
    ],
)
def test_the_figures_of_the_paper(table, experiment, flow, model, value, std):
    figure = published(table, experiment, flow, model)
    assert (figure.value, figure.std, figure.mark) == (value, std, " (?)")


@pytest.mark.parametrize(
    ("table", "experiment", "flow", "model"),
    [
        ("table1", "rotation", "V4R", "FERNN-V2R"),
        ("table2", "kth", "V2T", "G-RNN+"),
        ("table1", "translation", "V1T", "G-RNN"),  # the paper's figure is of V_2^T
        ("table1", "translation", "V2T", "FERNN-V3T"),  # not in the paper
    ],
)
def test_what_the_paper_does_not_give_stays_blank(table, experiment, flow, model):
    figure = published(table, experiment, flow, model)
    assert (figure.value, figure.std, figure.mark) == (None, None, "")


@pytest.mark.parametrize(
    ("ours", "paper", "scale", "lower", "text", "z"),
    [
        (Summary(8.5e-3, 3e-4, 3), PAPER, "paper", True, "agrees", 5e-4 / math.sqrt(3e-8 + 3.6e-7)),
        (Summary(9.5e-3, 3e-4, 3), PAPER, "paper", True, "worse", 1.5e-3 / math.sqrt(3e-8 + 3.6e-7)),
        (Summary(6.5e-3, 3e-4, 3), PAPER, "paper", True, "better", -1.5e-3 / math.sqrt(3e-8 + 3.6e-7)),
        (Summary(9.5e-3, 3e-4, 3), PAPER, "paper", False, "better", 1.5e-3 / math.sqrt(3e-8 + 3.6e-7)),
        # just inside and just outside of two deviations
        (Summary(9.199e-3, 0.0, 2), PAPER, "paper", True, "agrees", 1.199 / 0.6),
        (Summary(9.201e-3, 0.0, 2), PAPER, "paper", True, "worse", 1.201 / 0.6),
        (Summary(8.5e-3, None, 1), PAPER, "paper", True, "needs two seeds", None),
        (Summary(8.5e-3, 3e-4, 3), PAPER, "quick", True, "not comparable at scale quick", None),
        (Summary(8.5e-3, 3e-4, 3), Published(), "paper", True, "no figure to compare with", None),
    ],
)
def test_verdicts(ours, paper, scale, lower, text, z):
    verdict = compare(ours, paper, scale, lower)
    assert verdict.text == text
    assert verdict.z == (z if z is None else pytest.approx(z))


@pytest.mark.parametrize(
    ("worse", "better", "lower", "verdict"),
    [
        (Summary(5.0, 1.0, 2), Summary(2.0, 1.0, 2), True, "holds"),
        (Summary(5.0, 1.0, 2), Summary(2.0, 2.0, 2), True, "not separated"),  # 3 apart, 3 of deviations
        (Summary(2.0, 0.1, 2), Summary(5.0, 0.1, 2), True, "reversed"),
        (Summary(2.0, 0.1, 2), Summary(5.0, 0.1, 2), False, "holds"),
        (Summary(5.0, None, 1), Summary(2.0, 0.1, 2), True, "needs two seeds"),
    ],
)
def test_the_order_of_a_pair(worse, better, lower, verdict):
    (claim,) = claims({"FERNN-V1T": better, "G-RNN": worse}, RANKING, lower)
    assert (claim.worse, claim.better, claim.verdict) == ("G-RNN", "FERNN-V1T", verdict)


def test_the_order_passes_over_models_that_are_not_there():
    ours = {"G-RNN": Summary(5.0, 1.0, 2), "FERNN-V2T": Summary(1.0, 1.0, 2), "own": Summary(0.1, 0.1, 2)}
    assert [(claim.worse, claim.better) for claim in claims(ours, RANKING, True)] == [("G-RNN", "FERNN-V2T")]


@pytest.mark.parametrize(
    ("table", "experiment", "flow", "ranking"),
    [
        ("table1", "translation", "V2T", RANKING),
        ("table1", "translation", "V1T", []),  # the paper's figures are of V_2^T
        ("table1", "rotation", "V4R", ["G-RNN", "FERNN-V4R"]),
        ("table2", "kth", "V2T", ["3D-CNN", "G-RNN", "FERNN-V2T"]),
    ],
)
def test_only_models_with_a_figure_of_the_paper_are_ranked(table, experiment, flow, ranking):
    assert order(table, experiment, flow) == ranking


@pytest.mark.parametrize(
    ("mean", "std", "decimals", "latex", "text"),
    [
        (8.1e-3, 6e-4, 1, False, "(8.1 ± 0.6) × 10⁻³"),
        (8.1234e-3, 6e-6, 2, False, "(8.123 ± 0.006) × 10⁻³"),
        (9.996e-4, 6e-5, 2, False, "(1.00 ± 0.06) × 10⁻³"),
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
