"""The evidence page: what it says of the trained models is what these are."""

import json
import re
from functools import cache
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from fernn.models import load_model
from fernn.models.borders import circular_pad
from tests.kept import everything

from .blocks import ROOT

PAGE = (ROOT / "docs/evidence.md").read_text()


def table(name: str) -> list[list[str]]:
    """The rows of the table under a comment of that name."""
    (found,) = re.findall(rf"<!-- {name} -->\n((?:\|.*\n)+)", PAGE)
    return [[cell.strip() for cell in line.strip("|\n").split("|")] for line in found.splitlines()[2:]]


ROWS = table("growth")
RATES = {"G-RNN": "lr0.001"}


@cache
def kept() -> dict[str, Path]:
    return {str(path): file for path, file in everything()}


def of_run(stage: str, model: str, seed: str, file: str, flow: str = "V2T") -> Path:
    run = f"translation/{flow}/{model}/{RATES.get(model, 'lr0.002')}/seed{seed}"
    return kept()[f"evidence/small/results/small/{stage}/{run}/{file}"]


def measures(model: str, seed: str, flow: str = "V2T") -> dict[str, Any]:
    return json.loads(of_run("evaluations", model, seed, "evaluation.json", flow).read_text())["measures"]


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


@pytest.mark.parametrize("row", ROWS, ids=[" ".join(row[:2]) for row in ROWS])
def test_growth_and_errors_are_those_of_the_kept_models(row: list[str]) -> None:
    model, seed, factor, *errors = row
    assert growth(load_model(of_run("runs", model, seed, "model.safetensors")).cell.W.weight) == pytest.approx(
        float(factor), abs=0.006
    )
    of = measures(model, seed)
    found = [of["test"]["mse"], *(of["length"]["mean"][step - 1] for step in (10, 30, 70))]
    assert [f"{value:.2g}" for value in found] == [f"{float(error):.2g}" for error in errors]


def test_the_page_has_every_seed() -> None:
    assert [row[1] for row in ROWS if row[0] == "FERNN-V2T"] == ["0", "1", "2"]


@pytest.mark.parametrize("row", table("test"), ids=lambda row: row[0])
def test_errors_are_those_of_the_kept_runs(row: list[str]) -> None:
    model, *errors, summary = row
    found = [measures(model, seed)["test"]["mse"] for seed in ("0", "1", "2")]
    assert [f"{value:.3g}" for value in found] == errors
    assert summary == f"{mean(found):.3g} ± {stdev(found):.2g}"


@pytest.mark.parametrize("row", table("velocity"), ids=lambda row: " ".join(row[:2]))
def test_errors_at_velocities_are_those_of_the_kept_runs(row: list[str]) -> None:
    grid = measures(*row[:2], flow="V1T")["velocity"]["grid"]
    fast = [point["mse"] for point in grid if max(abs(point["vx"]), abs(point["vy"])) > 1]
    slow = [point["mse"] for point in grid if max(abs(point["vx"]), abs(point["vy"])) <= 1]
    assert [f"{value:#.3g}" for value in (mean(slow), mean(fast), max(fast))] == row[2:]


def test_what_the_page_says_of_the_others() -> None:
    assert f"{measures('G-RNN-wide', '1')['test']['mse']:.3f} in its one finished run" in PAGE.replace("\n", " ")
    assert f"loses nothing ({measures('FERNN-V3T', '0')['test']['mse']:.4f})" in PAGE
