"""The paces and speeds that `fernn plan` goes by before anything has run."""

import json
import re
from pathlib import Path

import pytest
import torch
from rich.console import Console

from fernn.experiments import find_experiment, load_params
from fernn.layout import RECORD, Layout
from fernn.params import Params
from fernn.pipeline.preflight import costs, measured
from fernn.pipeline.preflight.operations import TRAINING, Speed, models
from fernn.pipeline.preflight.sharing import Sharing
from fernn.pipeline.preflight.state import State, read_state
from fernn.runs import Run, all_runs
from tests.kept import everything
from tests.preflight.made import finish, first

ROOT = Path(__file__).parents[2]
SLOW = Speed(1e9)


def test_the_paces_are_those_that_docs_tell() -> None:
    """Each is a measured step over the one that is counted; what they make of scale paper stands in the docs."""
    paper = load_params(ROOT / "params.yaml", "paper")
    counted, page = models(paper), (ROOT / "docs/gpu.md").read_text()
    found = {}
    for run in all_runs(paper).values():
        key = run.experiment, run.model
        if key not in found:
            number, unit, steps = re.search(
                rf"^\| {re.escape(', '.join(key))} *\|[^|]*\|[^|]*\| *([\d.]+) (m?s) *\| *(\d+) ", page, re.MULTILINE
            ).groups()
            epochs, work = paper.section(run.experiment).training.epochs, find_experiment(run.experiment)
            step = epochs * TRAINING * counted[key].seconds(work.workload(paper, run).epoch, measured.COUNTED)
            found[key] = float(number) * (0.001 if unit == "ms" else 1) * int(steps) / step
    assert found.keys() == measured.PACES.keys() == counted.keys()
    for key, pace in measured.PACES.items():
        assert pace == pytest.approx(found[key], rel=0.02)


def test_a_plan_goes_by_the_card_that_was_measured(tmp_path: Path) -> None:
    paper = load_params(ROOT / "params.yaml", "paper")
    state, counted = read_state(paper, Layout("paper", tmp_path)), models(paper)
    plan = costs.costs(paper, state, measured.speed_of(None, None), counted)
    assert set(plan.known.values()) == {"at the pace of an NVIDIA H200, model by model"}
    assert plan.speed is measured.MEASURED
    hours = sum(cost.total for cost in plan.left.values())
    assert f" {hours:.0f} hours" in (ROOT / "README.md").read_text()
    assert f" {hours:.0f} hours" in (ROOT / "docs/unknown.md").read_text()
    by_count = costs.costs(paper, state, measured.COUNTED, counted).left
    for run, cost in plan.left.items():
        assert cost.total == pytest.approx(measured.PACES[run.experiment, run.model] * by_count[run].total)


def test_models_that_were_not_measured_go_by_the_others_of_their_experiment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    small = load_params(ROOT / "params.yaml", "small")
    state, counted = read_state(small, Layout("small", tmp_path)), models(small)
    plan = costs.costs(small, state, measured.MEASURED, counted)
    assert plan.known["translation"].endswith("model by model; FERNN-V3T, G-RNN-wide: at the middle of those")
    by_count = costs.costs(small, state, measured.COUNTED, counted).left
    run = first(small, "FERNN-V3T")
    assert plan.left[run].total == pytest.approx(0.42 * by_count[run].total)
    own = Speed(1.0, paces={("rotation", "G-RNN"): 0.5})
    assert (own.pace("rotation", "another"), own.pace("translation", "G-RNN")) == (0.5, 1.0)


def test_a_measured_gpu_says_nothing_of_a_run_on_a_cpu(
    params: Params, layout: Layout, capsys: pytest.CaptureFixture[str]
) -> None:
    finish(layout, first(params, "FERNN-V2T"), seconds=7200.0)
    costs.show(params, layout, measured.MEASURED, Sharing(), Console(width=120))
    said = capsys.readouterr().out
    assert "A core: hours of the runs left" in said
    assert "rotation: counted, at the speed of a core of an AMD EPYC" in said
    assert "H200" not in said


def kept_runs(small: Params) -> dict[Run, float]:
    """Seconds that the kept trainings of scale small took."""
    found = {}
    kept = {str(path): file for path, file in everything()}
    for run in all_runs(small).values():
        if file := kept.get(f"evidence/small/results/small/runs/{run.id}/{RECORD}"):
            found[run] = json.loads(file.read_text())["details"]["seconds"]
    return found


def test_the_speed_of_a_core_is_that_of_the_kept_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    small = load_params(ROOT / "params.yaml", "small")
    plan = costs.costs(small, State(), measured.MEASURED, models(small))
    assert plan.speed is measured.CORE
    took = kept_runs(small)
    assert len(took) > 20
    for model in {(run.experiment, run.model) for run in took}:
        own = [run for run in took if (run.experiment, run.model) == model]
        least = min(took[run] for run in own)  # others had to share the machine
        assert 0.6 < 3600 * plan.whole[own[0]].train / least < 1.4, model


def test_where_a_gpu_is_named_or_trains_hours_are_its_own(
    params: Params, layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also asked for on a machine without one."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    named, counted = measured.speed_of(250, None), models(params)
    assert costs.costs(params, State(), named, counted).speed is named
    assert costs.costs(params, State(), measured.MEASURED, counted).speed is measured.CORE
    finish(layout, first(params, "G-RNN"), seconds=10.0, cuda="13.0")
    on_gpu = read_state(params, layout)
    assert costs.costs(params, on_gpu, measured.MEASURED, counted).speed is measured.MEASURED
    paper = load_params(ROOT / "params.yaml", "paper")  # where a CPU is refused
    assert costs.costs(paper, State(), measured.MEASURED, models(paper)).speed is measured.MEASURED


@pytest.mark.parametrize(
    ("rate", "bandwidth", "speed"), [(250, None, (250e12, 1.5e12)), (None, 3.3, (100e12, 3.3e12)), (1, 2, (1e12, 2e12))]
)
def test_a_speed_that_is_named_is_counted_with(
    rate: float | None, bandwidth: float | None, speed: tuple[float, float]
) -> None:
    named = measured.speed_of(rate, bandwidth)
    assert (named.operations, named.moved) == pytest.approx(speed)
    assert not named.paces


STEPS = "go by what steps of scale paper took on an NVIDIA H200 (docs/gpu.md)"
RUNS = "go by what runs of scale small took on a core of an AMD EPYC (docs/evidence.md)"


@pytest.mark.parametrize(
    ("scale", "gpu", "speed", "told", "besides"),
    [
        ("quick", False, measured.MEASURED, RUNS, "What a run takes to start, some seconds, comes on top."),
        ("quick", True, measured.MEASURED, STEPS, "Of scale quick that says little"),
        ("quick", False, SLOW, "are counted", "Of scale quick that says little"),
        ("paper", False, measured.MEASURED, STEPS, None),
    ],
)
def test_what_hours_go_by_is_told(
    scale: str,
    gpu: bool,
    speed: Speed,
    told: str,
    besides: str | None,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpu)
    params = load_params(ROOT / "params.yaml", scale)
    costs.show(params, Layout(scale, tmp_path), speed, Sharing(), Console(width=120))
    said = capsys.readouterr().out
    assert f"Hours {told} until" in said
    assert ("core" if told is RUNS else "GPU") in re.search("Longest path, with a (GPU|core)", said)[0]
    assert [each.split("{")[0] in said for each in costs._BESIDES.values()] == [
        besides is not None and besides.startswith(each.split("{")[0]) for each in costs._BESIDES.values()
    ]
