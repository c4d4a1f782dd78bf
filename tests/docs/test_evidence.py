"""The evidence page: what it says of the trained models is what these are."""

import csv
import json
import re
from collections import defaultdict
from functools import cache
from itertools import pairwise
from pathlib import Path
from statistics import mean, stdev

import pytest
import torch
import torch.nn.functional as F

from fernn.evaluation import Measures
from fernn.experiments import load_params
from fernn.models import load_model
from fernn.models.ops import circular_pad
from fernn.pipeline.plan import flops, models
from fernn.runs import Run, all_runs
from tests import measured
from tests.kept import everything

from .blocks import ROOT

PAGE = (ROOT / "docs/evidence.md").read_text()
SMALL = "evidence/small/results/small"
DATA = {"translation": "V2T", "rotation": "V4R"}  # what models are tested on
SLOW = {"translation": "V1T", "rotation": "V1R"}  # what those are trained on that are then asked for other velocities

ABLATIONS = {"G-RNN-wide", "FERNN-V3T", "FERNN-V4R-exact"}


def table(name: str) -> list[list[str]]:
    """The rows of the table under a comment of that name."""
    (found,) = re.findall(rf"<!-- {name} -->\n((?:\|.*\n)+)", PAGE)
    return [[cell.strip() for cell in line.strip("|\n").split("|")] for line in found.splitlines()[2:]]


@cache
def kept() -> dict[str, Path]:
    return {str(path): file for path, file in everything()}


@cache
def runs() -> list[Run]:
    return [*all_runs(load_params(ROOT / "params.yaml", "small")).values()]


def runs_of(experiment: str, flow: str, model: str) -> list[Run]:
    return [run for run in runs() if (run.experiment, run.flow, run.model) == (experiment, flow, model)]


@cache
def measures(run: Run) -> dict[str, Measures]:
    return measured.read(kept()[f"{SMALL}/evaluations/{run.id}/results.csv"])


def errors_of(experiment: str, model: str) -> list[float]:
    """Errors of a model's runs, by seed."""
    return [measures(run)["test"]["mse", ""] for run in runs_of(experiment, DATA[experiment], model)]


def growth(W: torch.Tensor) -> float:
    """By which factor random maps grow at a step without frames: of eight, in the last 100 of 300 steps."""
    g = torch.rand(8, W.shape[1], 28, 28, generator=torch.Generator().manual_seed(0))
    logarithms = []
    with torch.no_grad():
        for _ in range(300):
            g = F.conv2d(circular_pad(g, 1), W).relu()
            norm = g.flatten(1).norm(dim=1)
            logarithms.append(norm.log())
            g = g / norm.view(-1, 1, 1, 1)
    return torch.stack(logarithms[-100:]).mean().exp().item()


def test_the_first_page_counts_the_verdicts_of_the_kept_claims() -> None:
    claims = kept()[f"{SMALL}/tables/claims.md"].read_text()
    (counts,) = re.findall(r"^\d+ claims: .*\.$", claims, re.MULTILINE)
    assert counts in (ROOT / "README.md").read_text()


def test_hours_are_those_of_the_records() -> None:
    """As they took, and by the fastest run of each model; of these, the ablations'."""
    took: dict[tuple[str, str], list[float]] = defaultdict(list)
    for run in runs():
        record = json.loads(kept()[f"{SMALL}/runs/{run.id}/record.json"].read_text())
        took[run.experiment, run.model].append(record["details"]["seconds"] / 3600)
    fastest = {model: min(hours) * len(hours) for (_, model), hours in took.items() if model in ABLATIONS}
    whole = sum(map(sum, took.values())), sum(min(hours) * len(hours) for hours in took.values()), sum(fastest.values())
    told = re.search(
        r"took ([\d.]+) hours of a core, .*, and ([\d.]+) by the .* which the ablations are ([\d.]+);",
        PAGE.replace("\n", " "),
    )
    assert told
    assert [f"{hours:.1f}" for hours in whole] == [*told.groups()]


def test_every_run_is_kept() -> None:
    missing = [run.id for run in runs() if f"{SMALL}/evaluations/{run.id}/results.csv" not in kept()]
    assert missing == []
    assert f"{len(runs())} runs" in PAGE


@pytest.mark.parametrize("row", table("growth"), ids=lambda row: " ".join(row[:2]))
def test_growth_and_errors_are_those_of_the_kept_models(row: list[str]) -> None:
    model, seed, factor, *errors = row
    (run,) = [run for run in runs_of("translation", "V2T", model) if run.seed == int(seed)]
    W = load_model(kept()[f"{SMALL}/runs/{run.id}/model.safetensors"]).cell.W.weight
    assert growth(W) == pytest.approx(float(factor), abs=0.006)
    of = measures(run)
    found = [of["test"]["mse", ""], *(of["length"]["mse", str(step)] for step in (10, 30, 70))]
    assert [f"{value:.2g}" for value in found] == [f"{float(error):.2g}" for error in errors]


@pytest.mark.parametrize("row", table("length"), ids=lambda row: " ".join(row[:2]))
def test_errors_of_rollouts_are_those_of_the_kept_runs(row: list[str]) -> None:
    model, seed, *errors = row
    (run,) = [run for run in runs_of("rotation", "V4R", model) if run.seed == int(seed)]
    found = [measures(run)["length"]["mse", str(step)] for step in (10, 20, 30, 70)]
    assert [f"{value:.2g}" for value in found] == [f"{float(error):.2g}" for error in errors]


@pytest.mark.parametrize("row", table("test"), ids=lambda row: row[1])
def test_errors_are_those_of_the_kept_runs(row: list[str]) -> None:
    experiment, model, *errors, summary = row
    found = errors_of(experiment, model)
    assert [f"{value:#.3g}" for value in found] == errors
    assert summary == f"{mean(found):#.3g} ± {stdev(found):#.2g}"


def test_the_order_of_translation_is_separated_by_three_deviations() -> None:
    """Of two neighbours the difference of the means, in the larger of their deviations."""
    found = [errors_of("translation", model) for model in ("G-RNN", "FERNN-V1T", "FERNN-V2T")]
    for worse, better in pairwise(found):
        assert (mean(worse) - mean(better)) / max(stdev(worse), stdev(better)) > 4
    assert "each step by more than four deviations" in PAGE.replace("\n", " ")


def test_rotations_are_not_trained_to_their_end() -> None:
    for model in ("G-RNN", "FERNN-V2R", "FERNN-V4R"):
        for run in runs_of("rotation", "V4R", model):
            with kept()[f"{SMALL}/runs/{run.id}/metrics.csv"].open() as file:
                losses = [float(row["validation_loss"]) for row in csv.DictReader(file)]
            assert losses[-1] == min(losses)


@pytest.mark.parametrize("row", table("velocity"), ids=lambda row: " ".join(row[:3]))
def test_errors_at_velocities_are_those_of_the_kept_runs(row: list[str]) -> None:
    experiment, model, seed, *errors = row
    (run,) = [run for run in runs_of(experiment, SLOW[experiment], model) if run.seed == int(seed)]
    seen, others = [], []
    for index, error in measured.by_index(measures(run)["velocity"], "mse").items():
        speed = max(abs(float(part)) for part in index.split())
        slowest, fastest = (1, 2) if experiment == "translation" else (30, 120)
        if speed <= slowest:
            seen.append(error)
        elif speed <= fastest:  # of rotations, the faster ones are in no V of the models
            others.append(error)
    assert [f"{value:#.3g}" for value in (mean(seen), mean(others), max(others))] == errors


@pytest.mark.parametrize("row", table("cost"), ids=lambda row: row[1])
def test_the_cost_of_an_ablation_is_counted(row: list[str]) -> None:
    experiment, model, error, cost = row
    params = load_params(ROOT / "params.yaml", "small")
    found = models(params)
    own, plain = (runs_of(experiment, DATA[experiment], name)[0] for name in (model, "G-RNN"))
    of, baseline = (flops(params, run, found).train for run in (own, plain))
    assert cost == f"{of / baseline:.1f}"
    errors = errors_of(experiment, model)
    assert error == f"{mean(errors):#.3g}" + (f" ± {stdev(errors):#.2g}" if len(errors) > 1 else "")
