"""The list of runs follows from the params alone."""

from pathlib import Path
from typing import Any

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


def group(*evaluate: str, **more: object) -> dict[str, Any]:
    return {"flow": "V2T", "models": ["G-RNN"], "evaluate": list(evaluate), **more}


def with_groups(*groups: dict[str, Any]) -> Params:
    content = yaml.safe_load(FILE.read_text())
    content["translation"]["runs"] += groups
    return resolve(content)


def test_a_group_may_have_seeds_of_its_own() -> None:
    params = with_groups(group("test", "length", seeds=[7]))
    added = [run for run in runs_of(params, "translation") if run.seed == 7]
    assert [run.id for run in added] == ["translation/V2T/G-RNN/lr0.0001/seed7"]
    assert evaluations_of(params, added[0]) == ["test", "length"]


def test_a_run_of_two_groups_is_one_run(paper: Params) -> None:
    """Else each of its seeds would count twice in tables and verdicts."""
    params = with_groups(group("velocity"))
    assert list(runs_of(params, "translation")) == list(runs_of(paper, "translation"))
    shared = all_runs(params)["translation/V2T/G-RNN/lr0.0001/seed0"]
    assert evaluations_of(params, shared) == ["test", "length", "velocity"]


def test_what_is_measured_of_a_seed_is_measured_of_all() -> None:
    with pytest.raises(FernnError, match="seed 0 of G-RNN on V2T by length, test and seed 7 by velocity; ask for the"):
        with_groups(group("velocity", seeds=[7]))


def test_the_candidates_of_a_search(paper: Params) -> None:
    candidates = [run for run in all_runs(paper).values() if is_candidate(paper, run)]
    assert len(candidates) == 5 * 4 * 3  # Table 2
    assert {run.experiment for run in candidates} == {"kth"}
    assert {run.flow for run in candidates} == {"V2T"}
