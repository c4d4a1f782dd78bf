"""`fernn plan`: what its hours, FLOPs and memory are based on, and what it prints."""

import json
import os
import re
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from rich.console import Console
from torch.utils.flop_counter import FlopCounterMode

from fernn.experiment import Pass
from fernn.experiments import find_experiment, load_params
from fernn.layout import RECORD, Layout
from fernn.models.predictor import FERNNPredictor
from fernn.params import Params
from fernn.pipeline import cost
from fernn.pipeline.cost import META, TRAINING, Amount, Rates, State, costs, flops, memory_of, models, name_of
from fernn.pipeline.jobs import Jobs
from fernn.runs import Run, all_runs
from fernn.training.device import kept, step_bytes, weights_of
from tests.kept import everything
from tests.pipeline.made import benchmark, evaluated, finish, first, under_way
from tests.workflow.conftest import make_project

ROOT = Path(__file__).parents[2]
QUICK = load_params(ROOT / "params.yaml", "quick")
GIGA = Rates("GPU", "FLOPs at 0.001 TFLOP/s", {}, 1e9)
TABLE = yaml.safe_load(Path(cost.__file__).with_name("measured.yaml").read_text())


def changed(params: Params, experiment: str, part: str, **values: Any) -> Params:
    section = params.section(experiment)
    section = section.model_copy(update={part: getattr(section, part).model_copy(update=values)})
    return params.model_copy(update={experiment: section})


def a_run_of_each(params: Params) -> dict[str, Run]:
    return {name_of(run): run for run in all_runs(params).values()}


RUNS = a_run_of_each(QUICK)
CASES = {name: (QUICK, run) for name, run in RUNS.items()}
CASES |= {
    f"{name}-{value}": (changed(QUICK, "rotation", "architecture", **{key: value}), RUNS[name])
    for key, value in (("convolution", "steerable"), ("frame", "lab"))
    for name in ("rotation/G-RNN", "rotation/FERNN-V2R")
}


def state_of(params: Params, layout: Layout) -> State:
    return cost.read_runs(Jobs(params, layout))


def estimated(params: Params, layout: Layout) -> cost.Costs:
    return costs(params, state_of(params, layout), GIGA, models(params))


# --- FLOPs and memory


@pytest.mark.parametrize(("params", "run"), CASES.values(), ids=CASES)
def test_flops_of_long_sequences_follow_from_short_ones(params: Params, run: Run) -> None:
    data, counted = params.section(run.experiment).data, models(params)[name_of(run)]
    model = find_experiment(run.experiment).training(params, Layout("quick"), run).inputs["model"].build().eval()
    lengths = [(data.frames,)] if run.experiment == "kth" else [(1, 1), (1, 4), (data.seen, data.predicted), (5, 2)]
    for length in lengths:  # of the real model on the CPU, every step
        assert counted.flops(Pass(2, data.frame, *length)) == 2 * cost.flops_of(model, data.frame, *length)


@pytest.mark.parametrize(("model", "maps"), [("G-RNN", 1), ("FERNN-V1T", 9), ("FERNN-V2T", 25)])
def test_flops_written_out(model: str, maps: int) -> None:
    """12 channels, 3x3 pixels, two hidden layers of the decoder, on 14x14 pixels."""
    data, training = QUICK.translation.data, QUICK.translation.training
    U, W, decoder = 1 * 12 * 9, 12 * 12 * 9, 2 * 12 * 12 * 9 + 12 * 1 * 9
    first, second, later = U, U + W, U + maps * W  # h_0 = 0, and h_1 is one map
    products = first + second + (data.seen + data.predicted - 2) * later + data.predicted * decoder
    found = flops(QUICK, RUNS[f"translation/{model}"], models(QUICK))
    sequences = training.epochs * (TRAINING * data.train + data.validation)
    assert found.train == 2 * 14 * 14 * products * sequences
    assert found.evaluate > 2 * 14 * 14 * products * data.test


def test_backward_costs_twice_as_much_as_forward() -> None:
    model = FERNNPredictor("V1T", hidden_channels=32).to(META)
    with FlopCounterMode(display=False) as counter:
        model(torch.empty(1, 3, 1, 8, 8, device=META), 3).sum().backward()
    assert counter.get_total_flops() == pytest.approx(TRAINING * cost.flops_of(model, 8, 3, 3), rel=0.05)


@pytest.mark.parametrize("run", RUNS.values(), ids=RUNS)
def test_memory_of_long_sequences_follows_from_short_ones(run: Run) -> None:
    section = QUICK.section(run.experiment)
    with META:
        work = find_experiment(run.experiment).training(QUICK, Layout("quick"), run)
        built = work.inputs["model"].build().to(META)
    data = section.data
    lengths = (data.frames,) if run.experiment == "kth" else (data.seen, data.predicted)
    directly = step_bytes(weights_of(built), kept(built, data.frame, *lengths), section.training.batch, "float32")
    # in the co-moving frame of a rotation, how much is kept of a turned image depends on the angle
    tolerance = 0.1 if run.experiment == "rotation" else 0.01
    assert memory_of(QUICK, run, models(QUICK)) == pytest.approx(directly, rel=tolerance)


def test_memory_depends_on_the_micro_batch() -> None:
    found, run = models(QUICK), RUNS["translation/FERNN-V2T"]

    def memory(**training: object) -> float:
        return memory_of(changed(QUICK, "translation", "training", **training), run, found)

    weights, batch = 16 * found[name_of(run)].weights, QUICK.translation.training.batch
    assert memory(micro_batch="auto") == memory(micro_batch=None) == memory(micro_batch=10 * batch)
    assert (memory(micro_batch=1) - weights) * batch == pytest.approx(memory(micro_batch=None) - weights)


# --- measured rates


def seconds_in_docs() -> dict[str, float]:
    row = r"^\| (\w+), (\S+) *\| *\d+ *\| *\d+ *\| *([\d.]+) (m?s) *\|"  # model, batch, at a time, time of a step
    rows = re.findall(row, (ROOT / "docs/gpu.md").read_text(), re.MULTILINE)
    return {f"{name}/{model}": float(time) * (0.001 if unit == "ms" else 1) for name, model, time, unit in rows}


def seconds_of_kept_runs() -> dict[str, float]:
    """The fastest of each model at scale small: others shared the machine."""
    files, found = {str(path): file for path, file in everything()}, {}
    for run in all_runs(load_params(ROOT / "params.yaml", "small")).values():
        if file := files.get(f"evidence/small/results/small/runs/{run.id}/{RECORD}"):
            details = json.loads(file.read_text())["details"]
            seconds = details["seconds"] / details["steps"]
            found[name_of(run)] = min(seconds, found.get(name_of(run), seconds))
    return found


@pytest.mark.parametrize(
    ("unit", "scale", "measured"), [("gpu", "paper", seconds_in_docs), ("core", "small", seconds_of_kept_runs)]
)
def test_the_table_of_measured_steps(unit: str, scale: str, measured: Any) -> None:
    params = load_params(ROOT / "params.yaml", scale)
    steps, found = TABLE[unit]["steps"], models(params)
    assert {name: seconds for name, (seconds, _) in steps.items()} == pytest.approx(measured(), rel=0.01)
    for name, run in a_run_of_each(params).items():
        epoch = find_experiment(run.experiment).workload(params, run).epoch
        sequence = found[name].flops(Pass(1, epoch.side, epoch.frames, epoch.predicted))
        batch = params.section(run.experiment).training.batch
        assert steps[name][1] == pytest.approx(TRAINING * batch * sequence / 1e12, rel=0.001)


def test_a_model_that_was_not_measured_has_the_median_rate_of_its_experiment() -> None:
    rates = Rates("GPU", "", {"a/x": 1.0, "a/y": 3.0, "a/z": 4.0, "b/x": 9.0}, 5.0)
    assert [rates.of(name) for name in ("a/x", "a/new", "b/new", "c/new")] == [1.0, 3.0, 9.0, 5.0]
    core = cost.rates_of(QUICK, State(devices={"a CPU"}))
    source = costs(QUICK, State(), core, models(QUICK)).source
    assert source["translation"] == core.source
    assert source["kth"].endswith(
        "; 3D-CNN, FERNN-V1T, FERNN-V2T, G-RNN, G-RNN+: by FLOPs, at the median rate of those"
    )


@pytest.mark.parametrize(
    ("scale", "cuda", "state", "rate", "unit", "source"),
    [
        ("quick", False, State(), None, "core", "an AMD EPYC"),
        ("quick", True, State(), None, "GPU", "NVIDIA H200"),
        ("quick", False, State(), 250, "GPU", "FLOPs at 250 TFLOP/s"),
        ("quick", True, State(devices={"a CPU"}), None, "core", "an AMD EPYC"),
        ("quick", False, State(devices={"a GPU"}, on_gpu=True), None, "GPU", "NVIDIA H200"),
        ("paper", False, State(), None, "GPU", "NVIDIA H200"),  # where a CPU is refused
    ],
)
def test_which_rates_a_plan_uses(
    scale: str, cuda: bool, state: State, rate: float | None, unit: str, source: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    rates = cost.rates_of(load_params(ROOT / "params.yaml", scale), state, rate)
    assert rates.unit == unit
    assert source in rates.source


def test_the_hours_of_the_paper_are_those_in_the_docs(tmp_path: Path) -> None:
    paper = load_params(ROOT / "params.yaml", "paper")
    found = costs(paper, State(), cost.rates_of(paper, State()), models(paper))
    hours = sum(amount.total for amount in found.left.values()) / 3600
    assert f" {hours:.0f} hours" in (ROOT / "README.md").read_text()
    assert f" {hours:.0f} hours" in (ROOT / "docs/unknown.md").read_text()


# --- costs and what is left


def test_before_anything_has_run_flops_are_divided_by_the_rate(params: Params, layout: Layout) -> None:
    done = cost.done_jobs(Jobs(params, layout))
    assert {name for name, jobs in done.items() if any(jobs)} <= {"fetch"}
    assert len(done["train"]) == len(all_runs(params))
    found, counted = estimated(params, layout), models(params)
    for run, amount in found.left.items():
        assert amount.train == pytest.approx(flops(params, run, counted).train / 1e9)
    assert set(found.source.values()) == {GIGA.source}


def test_finished_runs_set_the_pace_of_their_model_and_scale_others(params: Params, layout: Layout) -> None:
    fast, slow, other = (first(params, model) for model in ("G-RNN", "FERNN-V2T", "FERNN-V1T"))
    before = estimated(params, layout).whole
    for run, times in ((fast, 2.0), (slow, 5.0)):
        finish(layout, run, times * before[run].train)
    found = estimated(params, layout)
    for run, times in ((fast, 2.0), (slow, 5.0)):
        assert found.left[run].train == 0
        assert found.whole[run].train == pytest.approx(times * before[run].train)
        assert found.whole[run].evaluate == pytest.approx(times * before[run].evaluate)
    assert 2.0 * before[other].train < found.whole[other].train < 5.0 * before[other].train
    assert found.source[fast.experiment] == "2 finished runs; FERNN-V1T: by FLOPs, scaled to those"
    assert found.source["rotation"] == f"{GIGA.source}, scaled to the finished runs of other experiments"
    rotated = first(params, "FERNN-V4R")
    assert 2.0 * before[rotated].train < found.whole[rotated].train < 5.0 * before[rotated].train


def test_the_time_of_a_job_counts_with_its_start_and_that_of_all_ranks(params: Params, layout: Layout) -> None:
    run = first(params, "FERNN-V2T")
    finish(layout, run, seconds=100.0, workers=4)
    for job, seconds in ((20.0, 400.0), (110.0, 440.0)):  # resumed: its last part; in one go
        benchmark(layout, "train", run, job)
        assert state_of(params, layout).trained[run] == seconds
    evaluated(layout, run, seconds=9.0)
    assert estimated(params, layout).whole[run].evaluate == 9.0
    assert estimated(params, layout).left[run] == Amount(0.0, 0.0)


def test_a_run_that_diverged_is_done_and_sets_no_pace(params: Params, layout: Layout) -> None:
    run, before = first(params, "FERNN-V2T"), estimated(params, layout).left
    finish(layout, run, seconds=1.0, diverged=True)
    after = estimated(params, layout).left
    assert after == before | {run: Amount(0.0, before[run].evaluate)}


@pytest.mark.parametrize(("epoch", "left"), [(3, 1 / 4), (50, 1)])  # of four: a checkpoint with more is not resumed
def test_an_unfinished_training_has_less_to_go(params: Params, layout: Layout, epoch: int, left: float) -> None:
    run = first(params, "FERNN-V1T")
    whole = estimated(params, layout).left[run].train
    under_way(layout, run, epoch)
    assert state_of(params, layout).epochs == {run: epoch}
    assert estimated(params, layout).left[run].train == pytest.approx(left * whole)


def test_a_broken_checkpoint_is_ignored(params: Params, layout: Layout) -> None:
    run = first(params, "G-RNN")
    under_way(layout, run, 1)
    (layout.unfinished(run.id) / "checkpoint.safetensors").write_bytes(b"\xff" * 100)
    assert state_of(params, layout).epochs == {}


# --- limits of a cluster


def test_the_limits_of_the_profile_are_enough_for_the_paper(tmp_path: Path) -> None:
    paper, retries = load_params(ROOT / "params.yaml", "paper"), cost.retries_of(ROOT / cost.PROFILE)
    for rate in (None, 10):  # of an H200; what slurm/config.yaml says
        left = costs(paper, State(), cost.rates_of(paper, State(), rate), models(paper)).left
        assert list(cost.too_short(paper, left, retries)) == []
    assert cost.retries_of(tmp_path / "none") is None


def test_limits_that_no_run_can_keep_are_named(params: Params) -> None:
    short, long = (first(params, model) for model in ("G-RNN", "FERNN-V2T"))
    left = {short: Amount(1800, 360), long: Amount(6840, 720)}  # the scale has limits of 30 and 10 minutes
    in_time = {run: Amount(amount.train, 360) for run, amount in left.items()}
    assert list(cost.too_short(params, in_time, 3)) == []
    trained, tested = cost.too_short(params, left, 2)
    assert trained == (
        f"With --profile slurm, training {long.id} does not end: it takes 1.9 h, and 3 tries of 0.5 h end after 1.5 h. "
        "Set retries to 4 in slurm/config.yaml, or raise resources.train.runtime in params.yaml."
    )
    assert f"evaluating {long.id} does not end: it takes 0.2 h" in tested
    assert "resources.evaluate.runtime in params.yaml to 20 minutes" in tested


# --- the command


def test_several_gpus_share_a_run(params: Params, layout: Layout, capsys: pytest.CaptureFixture[str]) -> None:
    def longest(gpus: int | None) -> float:
        cost.show(params, layout, 1e-6, gpus, Console(width=120))
        said = capsys.readouterr().out
        assert ("exchanging gradients is not counted" in said) == (gpus is not None)
        return float(re.search(r"Longest path.*: (\S+) h", said)[1])

    run = first(params, "FERNN-V2T")
    assert [cost.shared_by(params, run, gpus) for gpus in (None, 2, 64)] == [1, 2, 4]  # a batch has four sequences
    assert longest(2) == pytest.approx(longest(None) / 2, rel=0.1)  # an evaluation is of one GPU


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
        "translation: steps of scale paper on an NVIDIA H200",
        "Hours without finished runs are estimates",
        "GiB",
        "Longest path, with a GPU",
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
