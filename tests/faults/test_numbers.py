"""A loss that is no number ends a training at once, and what was good before stays."""

import random
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from fernn.training.checkpoint import read_checkpoint

from .harness import SCALE, SEED, Project, drawn
from .ledger import Ledger

NUMBERS = "A loss that is no number ends a training with its epoch and batch; it is never saved, and no model is made"
EXPERIMENTS = ("translation", "rotation", "kth")


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_rates_that_diverge(experiment: str, template: Project, tmp_path: Path, ledger: Ledger) -> None:
    """Rates so high that weights leave what float32 holds, at some batch."""
    chance = random.Random(f"{SEED} rates {experiment}")
    rates = drawn([float(f"1e{chance.randint(25, 38)}") for _ in range(8)], f"rates {experiment}")
    for rate in rates:
        project = template.copy(folder := tmp_path / "project")

        def diverge(scale: dict[str, Any], rate: float = rate) -> None:
            scale["checkpoint_minutes"] = 1e-9  # after each batch
            for about in scale[experiment]["models"].values():
                about["learning_rate"] = rate

        project.edit_params(diverge)
        (run,) = [run for run in project.jobs.runs if run.startswith(experiment)]
        ended = project.fernn("train", run)
        assert ended.status == 1, ended.said
        (told,) = [line for line in ended.said.splitlines() if line.startswith("fernn: ")]
        assert "epoch" in told
        assert "batch" in told
        assert "Traceback" not in ended.said
        assert not list((folder / f"results/{SCALE}/runs/{run}").glob("*"))
        for checkpoint in folder.glob(f"results/{SCALE}/unfinished/{run}/checkpoint.safetensors"):
            weights = read_checkpoint(checkpoint, torch.device("cpu")).tensors["model"]
            assert all(each.isfinite().all() for each in weights.values())
        assert not project.leftovers()
        shutil.rmtree(folder)
    ledger(NUMBERS, "a rate that diverges", len(rates))
