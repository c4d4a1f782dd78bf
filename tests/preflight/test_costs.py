"""`fernn plan`: what it reckons with, and that it says so."""

import os
import re
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from fernn.experiments import load_params
from fernn.layout import Layout
from fernn.params import Params
from fernn.pipeline.preflight import costs, doctor
from fernn.pipeline.preflight.limits import too_short, tries_of
from fernn.pipeline.preflight.operations import Amount, Speed, models, of_run
from fernn.pipeline.preflight.sharing import Sharing
from fernn.pipeline.preflight.state import State, read_state
from fernn.runs import Run, all_runs
from tests.preflight.made import finish, first, under_way
from tests.workflow.conftest import make_project

ROOT = Path(__file__).parents[2]
SLOW = Speed(1e9)


def reckoned(params: Params, state: State, speed: Speed = SLOW) -> tuple[dict[Run, Amount], dict[str, str]]:
    found = costs.costs(params, state, speed, models(params))
    return found.left, found.known


def test_before_anything_has_run_operations_are_counted(params: Params, layout: Layout) -> None:
    state = read_state(params, layout)
    assert {rule: sum(done) for rule, done in state.done.items() if rule != "fetch"} == dict.fromkeys(
        ("dataset", "train", "evaluate", "tables", "figures", "report", "standins"), 0
    )
    assert len(state.done["train"]) == len(all_runs(params))
    left, known = reckoned(params, state)
    found = models(params)
    counted = {run: of_run(params, run, found, Speed(1.0)) for run in left}
    for run, cost in left.items():
        assert cost.train == pytest.approx(counted[run].train / 1e9 / 3600)
    assert set(known.values()) == {"counted: 0.001 tera-operations per second"}


def test_a_run_that_diverged_is_done_and_tells_no_speed(params: Params, layout: Layout) -> None:
    run = first(params, "FERNN-V2T")
    before, _ = reckoned(params, read_state(params, layout))
    finish(layout, run, seconds=1.0, diverged=True)
    left, known = reckoned(params, read_state(params, layout))
    assert left[run].train == 0
    assert {other: cost for other, cost in left.items() if other != run} == {
        other: cost for other, cost in before.items() if other != run
    }
    assert set(known.values()) == {"counted: 0.001 tera-operations per second"}


def test_a_finished_run_is_measured(params: Params, layout: Layout) -> None:
    run = first(params, "FERNN-V2T")
    finish(layout, run, seconds=7200.0)
    state = read_state(params, layout)
    assert sum(state.done["train"]) == 1
    left, known = reckoned(params, state, Speed(1.0))
    others = [other for other in left if other.experiment == run.experiment and other != run]
    found = models(params)
    counted = {run: of_run(params, run, found, Speed(1.0)) for run in left}
    assert left[run].train == 0
    for other in others:
        share = 1.0 if other.model == run.model else counted[other].train / counted[run].train
        assert left[other].train == pytest.approx(2.0 * share)
    assert known[run.experiment].startswith("measured: 1 finished runs; FERNN-V1T, G-RNN: reckoned, at their speed")
    assert known["rotation"].startswith("counted: ")


def test_what_is_measured_of_a_model_tells_its_evaluation_and_other_models(params: Params, layout: Layout) -> None:
    """Each model goes by its own run, others by all of their experiment; on a GPU bytes count as operations do."""
    speed, found = Speed(1e9, 1e7), models(params)
    fast, slow, other = (first(params, model) for model in ("G-RNN", "FERNN-V2T", "FERNN-V1T"))
    counted = {run: of_run(params, run, found, speed) for run in (fast, slow, other)}
    for run, times in ((fast, 2.0), (slow, 5.0)):
        finish(layout, run, times * counted[run].train, cuda="13.0")
    whole = costs.costs(params, read_state(params, layout), speed, found).whole
    for run, times in ((fast, 2.0), (slow, 5.0)):
        assert 3600 * whole[run].train == pytest.approx(times * counted[run].train)
        assert 3600 * whole[run].evaluate == pytest.approx(times * counted[run].evaluate)
    assert 2.0 * counted[other].train < 3600 * whole[other].train < 5.0 * counted[other].train


def test_hours_of_a_gpu_go_by_bytes_too(params: Params, layout: Layout) -> None:
    state, found = read_state(params, layout), models(params)
    operations = costs.costs(params, state, Speed(1e9), found).whole
    both = costs.costs(params, state, Speed(1e9, 1e9), found)
    assert both.known["rotation"] == "counted: 0.001 tera-operations and 0.001 terabytes per second"
    assert all(both.whole[run].train > operations[run].train for run in operations)


def test_several_gpus_share_a_run(params: Params, layout: Layout) -> None:
    """Sequences are split, and gradients are passed around a ring; an evaluation is of one GPU."""
    found, run = models(params), first(params, "FERNN-V2T")
    alone = costs.costs(params, read_state(params, layout), SLOW, found).whole[run]
    steps = 4 * 512 // 4
    for number in (1, 2, 4):
        shared = Sharing(number, link=1e6).shared(params, run, found, alone)
        passed = 2 * (number - 1) / number * 4 * found[run.experiment, run.model].weights
        assert shared.train == pytest.approx(alone.train / number + steps * passed / 1e6 / 3600)
        assert shared.evaluate == alone.evaluate
    assert Sharing(64).of(params, run) == 4  # a batch has four sequences
    assert Sharing().of(params, run) == 1


def test_a_run_of_several_workers_tells_what_one_takes(params: Params, layout: Layout) -> None:
    run = first(params, "FERNN-V2T")
    finish(layout, run, seconds=1800.0, workers=4)
    assert read_state(params, layout).trained[run] == 7200


def test_a_run_under_way_has_less_to_go(params: Params, layout: Layout) -> None:
    run = first(params, "FERNN-V1T")
    whole = reckoned(params, read_state(params, layout))[0][run].train
    under_way(layout, run, epoch=3)
    state = read_state(params, layout)
    assert state.epochs == {run: 3}
    left = reckoned(params, state)[0][run].train
    assert left == pytest.approx(whole * (1 - 3 / params.translation.training.epochs))


def test_a_checkpoint_of_more_epochs_than_there_are_is_not_taken_up(params: Params, layout: Layout) -> None:
    run = first(params, "FERNN-V1T")
    whole = reckoned(params, read_state(params, layout))[0][run].train
    under_way(layout, run, epoch=params.translation.training.epochs + 46)
    assert reckoned(params, read_state(params, layout))[0][run].train == whole


def test_broken_files_are_no_reason_to_fail(params: Params, layout: Layout) -> None:
    run = first(params, "G-RNN")
    layout.unfinished(run.id).mkdir(parents=True)
    (layout.unfinished(run.id) / "checkpoint.safetensors").write_bytes(b"\xff" * 100)
    assert read_state(params, layout).epochs == {}


def test_the_limits_of_the_profile_are_enough_for_the_paper(tmp_path: Path) -> None:
    paper, tries = load_params(ROOT / "params.yaml", "paper"), tries_of(ROOT / doctor.PROFILE)
    state = read_state(paper, Layout("paper", tmp_path))
    for rate in (100e12, 10e12):  # where nothing is said; and what slurm/config.yaml says
        left = costs.costs(paper, state, Speed(rate, 1.5e12), models(paper)).left
        assert list(too_short(paper, left, tries)) == []
    assert tries_of(tmp_path / "none") is None


def test_limits_that_no_run_can_keep_are_told(params: Params) -> None:
    short, long = (first(params, model) for model in ("G-RNN", "FERNN-V2T"))
    left = {short: Amount(0.5, 0.1), long: Amount(1.9, 0.2)}  # hours; the scale has limits of 30 and 10 minutes
    in_time = {run: Amount(cost.train, 0.1) for run, cost in left.items()}
    assert list(too_short(params, in_time, 4)) == []
    trained, evaluated = too_short(params, left, 3)
    assert trained == (
        f"With --profile slurm, training {long.id} does not end: it takes 1.9 h, and 3 tries of 0.5 h end after 1.5 h. "
        "Set retries to 4 in slurm/config.yaml, or raise resources.train.runtime in params.yaml."
    )
    assert f"evaluating {long.id} does not end: it takes 0.2 h" in evaluated
    assert "resources.evaluate.runtime in params.yaml to 20 minutes" in evaluated


def spent(folder: Path, *command: str) -> tuple[str, float]:
    """What a command prints, and the seconds of the processor that it takes."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {**os.environ, "COLUMNS": "160", "PATH": path, "PYTHONPATH": str(folder)}
    ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, env=environment)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout + ended.stderr, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def soon(folder: Path, *command: str) -> str:
    """What a command prints at the paper's scale: soon, as at the quick one, since most of it is to load libraries."""
    _, few = spent(folder, *(word.format(scale="quick") for word in command))
    said, many = spent(folder, *(word.format(scale="paper") for word in command))
    assert many < 2.5 * few
    return said


@pytest.mark.slow
def test_it_prints_its_tables_soon() -> None:
    said = soon(ROOT, sys.executable, "-m", "fernn.cli", "plan", "--scale", "{scale}")
    for words in (
        "Jobs of scale paper",
        "A GPU: hours of the runs left",
        "at the pace of an NVIDIA H200",
        "Hours go by what steps of scale paper took on an NVIDIA H200",
        "GiB",
        "Longest path",
        "Disk",
        "Free here",
    ):
        assert words in said


@pytest.mark.slow
def test_the_jobs_of_the_paper_are_listed_soon(tmp_path: Path) -> None:
    said = soon(make_project(tmp_path).folder, "snakemake", "-n", "--config", "scale={scale}")
    runs = len(all_runs(load_params(ROOT / "params.yaml", "paper")))
    assert re.search(rf"^Would run \d+ jobs: .*\b{runs} train", said, re.MULTILINE)
    assert max(map(len, said.splitlines())) <= 160
