"""The list of runs follows from the params alone."""

from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from fernn.errors import FernnError
from fernn.experiments import load_params, resolve
from fernn.params import Params
from fernn.runs import all_runs, evaluations_of, find_run, is_candidate, runs_of

FILE = Path(__file__).parent.parent / "params.yaml"


@pytest.fixture(scope="module")
def paper() -> Params:
    return load_params(FILE)


def test_the_paper_has_these_runs(paper: Params) -> None:
    translation = list(runs_of(paper, "translation"))
    assert len(translation) == (3 + 2) * 3
    # Table 2: 5 models, 4 learning rates, 3 seeds; Figure 5: 5 models, 2 flows, 3 seeds
    kth = list(runs_of(paper, "kth"))
    assert sum(run.flow == "V2T" for run in kth) == 5 * 4 * 3
    assert len(kth) == 5 * 4 * 3 + 5 * 2 * 3


def test_names_are_unique_and_found_again(paper: Params) -> None:
    runs = all_runs(paper)
    assert len(runs) == sum(len(list(runs_of(paper, experiment))) for experiment in paper.experiments)
    assert "translation/V2T/FERNN-V1T/lr0.0001/seed0" in runs
    for name in runs:
        assert find_run(paper, name).id == name


def test_an_unknown_run_names_its_neighbours(paper: Params) -> None:
    with pytest.raises(FernnError, match=r"(?s)lr0.5/seed0: no run of scale paper.*FERNN-V1T/lr0.0001/seed0"):
        find_run(paper, "translation/V2T/FERNN-V1T/lr0.5/seed0")


def test_what_is_measured_of_a_run(paper: Params) -> None:
    runs = all_runs(paper)
    assert evaluations_of(paper, runs["translation/V2T/G-RNN/lr0.0001/seed0"]) == ["test", "length"]
    assert evaluations_of(paper, runs["translation/V1T/G-RNN/lr0.0001/seed0"]) == ["velocity"]


def test_a_group_may_have_seeds_of_its_own() -> None:
    content = yaml.safe_load(FILE.read_text())
    content["translation"]["runs"].append({"flow": "V2T", "models": ["G-RNN"], "seeds": [7], "evaluate": ["velocity"]})
    params = resolve(content)
    added = [run for run in runs_of(params, "translation") if run.seed == 7]
    assert [run.id for run in added] == ["translation/V2T/G-RNN/lr0.0001/seed7"]
    assert evaluations_of(params, added[0]) == ["velocity"]
    assert "velocity" not in evaluations_of(params, replace(added[0], seed=0))


def test_the_candidates_of_a_search(paper: Params) -> None:
    candidates = [run for run in all_runs(paper).values() if is_candidate(paper, run)]
    assert len(candidates) == 5 * 4 * 3  # Table 2
    assert {run.experiment for run in candidates} == {"kth"}
    assert {run.flow for run in candidates} == {"V2T"}
