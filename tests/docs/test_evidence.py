"""The evidence page: its numbers are those of the trained models that the repository keeps."""

import csv
import json
import re
from collections import defaultdict
from collections.abc import Callable
from functools import cache
from itertools import pairwise
from math import floor, log10
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from fernn.evaluation import Measures
from fernn.experiments import load_params
from fernn.files import sha256
from fernn.models import PRETRAINED, load_model
from fernn.models.ops import circular_pad
from fernn.models.registry import WEIGHTS
from fernn.pipeline.cost import flops, models
from fernn.runs import Run, all_runs
from tests import measured
from tests.kept import everything

from .blocks import ROOT

PAGE = (ROOT / "docs/evidence.md").read_text()
SMALL = "evidence/small/results/small"
DATA = {"translation": "V2T", "rotation": "V4R"}  # what models are tested on
SLOW = {"translation": "V1T", "rotation": "V1R"}  # what those are trained on that are then asked for other velocities
ABLATIONS = {"G-RNN-wide", "FERNN-V3T", "FERNN-V4R-exact"}


@cache
def kept() -> dict[str, Path]:
    return {str(path): file for path, file in everything()}


@cache
def runs() -> list[Run]:
    return [*all_runs(load_params(ROOT / "params.yaml", "small")).values()]


def runs_of(experiment: str, flow: str, model: str, seed: int | None = None) -> list[Run]:
    found = [run for run in runs() if (run.experiment, run.flow, run.model) == (experiment, flow, model)]
    return [run for run in found if seed in (None, run.seed)]


@cache
def measures(run: Run) -> dict[str, Measures]:
    return measured.read(kept()[f"{SMALL}/evaluations/{run.id}/results.csv"])


def errors_of(experiment: str, model: str) -> list[float]:
    """Errors of a model's runs, by seed."""
    return [measures(run)["test"]["mse", ""] for run in runs_of(experiment, DATA[experiment], model)]


def with_deviation(errors: list[float]) -> str:
    return f"{mean(errors):#.3g}" + (f" ± {stdev(errors):#.2g}" if len(errors) > 1 else "")


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


# The rows of each table, computed again: its first cells, as text, give the others, as numbers or as text.


def row_of_test(experiment: str, model: str) -> list[Any]:
    errors = errors_of(experiment, model)
    return [*errors, with_deviation(errors)]


def row_of_velocity(experiment: str, model: str, seed: str) -> list[Any]:
    (run,) = runs_of(experiment, SLOW[experiment], model, int(seed))
    # faster ones are in no V of the models
    slowest, fastest = (1, 2) if experiment == "translation" else (30, 120)
    seen, others = [], []
    for index, error in measured.by_index(measures(run)["velocity"], "mse").items():
        speed = max(abs(float(part)) for part in index.split())
        if speed <= fastest:
            (seen if speed <= slowest else others).append(error)
    return [mean(seen), mean(others), max(others)]


def row_of_cost(experiment: str, model: str) -> list[Any]:
    params = load_params(ROOT / "params.yaml", "small")
    own, plain = (runs_of(experiment, DATA[experiment], name)[0] for name in (model, "G-RNN"))
    of, baseline = (flops(params, run, models(params)).train for run in (own, plain))
    return [with_deviation(errors_of(experiment, model)), f"{of / baseline:.1f}"]


def row_of_length(model: str, seed: str) -> list[Any]:
    (run,) = runs_of("rotation", "V4R", model, int(seed))
    return [measures(run)["length"]["mse", str(step)] for step in (10, 20, 30, 70)]


def row_of_growth(model: str, seed: str) -> list[Any]:
    (run,) = runs_of("translation", "V2T", model, int(seed))
    W = load_model(kept()[f"{SMALL}/runs/{run.id}/model.safetensors"]).cell.W.weight
    of = measures(run)
    return [growth(W), of["test"]["mse", ""], *(of["length"]["mse", str(step)] for step in (10, 30, 70))]


TABLES: dict[str, tuple[Callable[..., list[Any]], int]] = {
    **{"test": (row_of_test, 2), "velocity": (row_of_velocity, 3), "cost": (row_of_cost, 2)},
    **{"length": (row_of_length, 2), "growth": (row_of_growth, 2)},
}


@pytest.mark.parametrize("name", TABLES)
def test_numbers_of_its_tables(name: str) -> None:
    (found,) = re.findall(rf"<!-- {name} -->\n((?:\|.*\n)+)", PAGE)
    of, keys = TABLES[name]
    for line in found.splitlines()[2:]:
        cells = [cell.strip() for cell in line.strip("|\n").split("|")]
        for cell, value in zip(cells[keys:], of(*cells[:keys]), strict=True):
            if isinstance(value, str):
                assert cell == value, line
            else:  # rounded to as many digits as the page has, two where there is no point
                digits = len(re.sub(r"e.*|\.", "", cell).lstrip("0")) if "." in cell else 2
                unit = 10.0 ** (floor(log10(float(cell))) - digits + 1)
                assert float(cell) == pytest.approx(value, abs=0.6 * unit), line


def test_hours_are_those_of_the_records() -> None:
    """As they took, and by the fastest run of each model; of these, the ablations'."""
    took: dict[tuple[str, str], list[float]] = defaultdict(list)
    for run in runs():
        record = json.loads(kept()[f"{SMALL}/runs/{run.id}/record.json"].read_text())
        took[run.experiment, run.model].append(record["details"]["seconds"] / 3600)
    fastest = {of: min(hours) * len(hours) for of, hours in took.items()}
    ablations = sum(hours for (_, model), hours in fastest.items() if model in ABLATIONS)
    for hours in (sum(map(sum, took.values())), sum(fastest.values()), ablations):
        assert re.search(rf"\b{hours:.1f}\b", PAGE), f"{hours:.1f} hours"


def test_every_run_is_kept() -> None:
    assert [run.id for run in runs() if f"{SMALL}/evaluations/{run.id}/results.csv" not in kept()] == []
    assert f"{len(runs())} runs" in PAGE
    claims = kept()[f"{SMALL}/tables/claims.md"].read_text()
    (counts,) = re.findall(r"^\d+ claims: .*\.$", claims, re.MULTILINE)
    assert counts in (ROOT / "README.md").read_text()


def test_the_order_of_translation_is_separated_by_four_deviations() -> None:
    found = [errors_of("translation", model) for model in ("G-RNN", "FERNN-V1T", "FERNN-V2T")]
    for worse, better in pairwise(found):
        assert (mean(worse) - mean(better)) / max(stdev(worse), stdev(better)) > 4


def validation_losses(run: Run) -> list[float]:
    with kept()[f"{SMALL}/runs/{run.id}/metrics.csv"].open() as file:
        return [float(row["validation_loss"]) for row in csv.DictReader(file)]


def test_rotations_are_not_trained_to_their_end() -> None:
    for run in (run for model in ("G-RNN", "FERNN-V2R", "FERNN-V4R") for run in runs_of("rotation", "V4R", model)):
        losses = validation_losses(run)
        assert losses[-1] == min(losses)


@pytest.mark.parametrize("name", PRETRAINED)
def test_a_pretrained_model_is_the_seed_with_the_lowest_validation_loss(name: str) -> None:
    experiment, model = name.split("/")
    loss, run = min((min(validation_losses(run)), run) for run in runs_of(experiment, DATA[experiment], model))
    weights, record = (kept()[f"{SMALL}/runs/{run.id}/{file}"] for file in ("model.safetensors", "record.json"))
    assert (WEIGHTS / f"{name}.safetensors").read_bytes() == weights.read_bytes()
    recorded = json.loads(record.read_text())
    assert PRETRAINED[name] == {
        "run": run.id,
        "scale": "small",
        "commit": recorded["environment"]["commit"]["id"],
        "seed": run.seed,
        "validation_mse": loss,
        "test_mse": measures(run)["test"]["mse", ""],
        "sha256": sha256(weights),
        "params": recorded["inputs"],
    }
    assert f"`{name}`" in (ROOT / "README.md").read_text()
