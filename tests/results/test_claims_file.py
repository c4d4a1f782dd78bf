"""The files of the paper's claims: what they hold, and what is said of one that is wrong."""

import math

import pytest

from fernn.errors import FernnError
from fernn.experiments import find_experiment
from fernn.results.claims.claim import read_claims
from fernn.runs import all_runs
from tests.results.claims_file import ORDER, written
from tests.results.tree import small_params


def test_the_figures_of_the_paper():
    claims = read_claims()
    cells = {(each.experiment, each.flow, each.model): (each.value, each.std, each.n) for each in claims.cells}
    assert cells == {
        ("translation", "V2T", "G-RNN"): (8.1e-3, 6e-4, None),
        ("translation", "V2T", "FERNN-V1T"): (5.3e-4, 8e-5, None),
        ("translation", "V2T", "FERNN-V2T"): (1.5e-4, 2e-5, None),
        ("rotation", "V4R", "G-RNN"): (4.0e-3, 5e-4, None),
        ("rotation", "V4R", "FERNN-V4R"): (6.1e-4, 3e-5, None),
        ("kth", "V2T", "3D-CNN"): (0.626, 0.02, 3),
        ("kth", "V2T", "G-RNN"): (0.665, 0.03, 3),
        ("kth", "V2T", "FERNN-V2T"): (0.716, 0.04, 3),
    }
    assert all(each.secondary for each in claims.cells)


def test_factors_and_orders_follow_from_the_cells():
    claims = read_claims()
    cells = {(each.experiment, each.flow, each.model): each for each in claims.cells}
    for each in (factor for factor in claims.factors if not factor.unsupported):
        better, worse = (cells[each.experiment, each.flow, model] for model in (each.better, each.worse))
        assert each.value == pytest.approx(worse.value / better.value, rel=0.005)
        assert each.std / each.value == pytest.approx(
            math.hypot(worse.std / worse.value, better.std / better.value), rel=0.02
        )
        assert each.scales == better.scales
    by_figure = [each for each in claims.orders if each.measure.startswith("test_")]
    pairs = {(each.experiment, frozenset((each.better, each.worse))) for each in by_figure}
    same = [(one, other) for one in claims.cells for other in claims.cells if one.experiment == other.experiment]
    assert pairs == {(one.experiment, frozenset((one.model, other.model))) for one, other in same if one is not other}
    for each in by_figure:
        better, worse = (cells[each.experiment, each.flow, model].value for model in (each.better, each.worse))
        assert (better > worse) == (each.measure == "test_accuracy")


def test_every_claim_asks_for_what_there_is():
    params = small_params(experiments=("translation", "rotation", "kth"))
    known = {(run.experiment, run.flow, run.model) for run in all_runs(params).values()}
    for claim in (each for each in read_claims().all if not each.unsupported):
        evidence = find_experiment(claim.experiment).evidence
        for asked in claim.asks:
            assert (claim.experiment, asked.flow, asked.model) in known
            assert asked.measure in evidence.measures
        assert claim.text


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"orders": [ORDER | {"beter": "x"}]}, r"own\.yaml: orders\.0\.beter: Extra inputs are not permitted"),
        ({"orders": [ORDER, ORDER]}, r"own\.yaml: the file: .*FERNN-V2T is better than G-RNN' stands there twice"),
        ({"level": 2}, r"own\.yaml: level: Input should be less than 0.5"),
        (
            {"exact": [{"experiment": "a", "model": "b", "check": "c", "source": "d", "secondary": False}]},
            "give one of",
        ),
        ({"bounds": [{"experiment": "a"}]}, r"own\.yaml: bounds\.0\.source: Field required"),
    ],
)
def test_a_file_that_is_wrong_is_named_with_the_entry(tmp_path, content, said):
    with pytest.raises(FernnError, match=said):
        read_claims(written(tmp_path, **content))


def test_a_file_that_is_none(tmp_path):
    with pytest.raises(FernnError, match=r"own\.yaml is missing"):
        read_claims(tmp_path / "own.yaml")
    (tmp_path / "own.yaml").write_text("level: [")
    with pytest.raises(FernnError, match=r"own\.yaml is no YAML"):
        read_claims(tmp_path / "own.yaml")
