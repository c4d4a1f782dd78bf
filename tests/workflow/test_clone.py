"""A fresh clone after `dvc pull` knows what is up to date, and a change runs exactly what depends on it."""

import os
import random
from typing import Any

import pytest

from .conftest import Clone, jobs
from .test_dag import GRNN, REPORT, V1, V1_SLOW, run_and_after

RUNS = (f"{GRNN}/seed0", f"{V1}/seed0", f"{V1_SLOW}/seed0")
# a file of each kind, each of another job
DELETED = [
    "tables/table1.md",
    "datasets/translation/digits.safetensors",
    f"runs/{V1}/seed0/metrics.csv",
    f"runs/{V1_SLOW}/seed0/model.safetensors",
    f"evaluations/{GRNN}/seed0/record.json",
]


def shuffle_times(clone: Clone) -> None:
    """Give all results and sources modification times in an arbitrary order, over ten years."""
    drawn = random.Random(0)
    for path in sorted(clone.folder.rglob("*")):
        if path.is_file() and ".git" not in path.parts and ".dvc" not in path.parts:
            os.utime(path, (drawn.randrange(1_400_000_000, 1_700_000_000),) * 2)


def test_it_has_nothing_to_do(pulled: Clone) -> None:
    assert pulled.up_to_date()
    assert pulled.planned() == set()
    assert pulled.up_to_date()
    assert pulled.git("status", "--porcelain") == ""
    assert "test_mse" in pulled.dvc("metrics", "show")
    assert jobs(pulled.dvc("repro")) == set()


@pytest.mark.parametrize("links", ["hardlink", "symlink"])
def test_with_links_to_the_cache(clone: Clone, links: str) -> None:
    """Times in any order run nothing; what was deleted comes back, and the jobs leave the cache alone."""
    clone.link_to_cache(links)
    shuffle_times(clone)
    assert clone.planned() == set()
    assert clone.up_to_date()
    assert (clone.folder / f"results/micro/runs/{V1}/seed0/model.safetensors").is_symlink() == (links == "symlink")
    cache = {path: path.read_bytes() for path in (clone.folder / ".dvc/cache/files").rglob("*") if path.is_file()}
    modes, before = {path: path.stat().st_mode for path in cache}, clone.results()
    for name in DELETED:
        (clone.folder / "results/micro" / name).unlink()
    clone.makes()
    assert clone.results() == before
    assert {path: path.read_bytes() for path in cache} == cache
    assert {path: path.stat().st_mode for path in cache} == modes
    assert clone.planned() == set()
    clone.must("rm", "-r", "results")
    clone.dvc("checkout")
    assert clone.planned() == set()


def test_after_a_pull_of_a_part(clone: Clone) -> None:
    """Files that would be rebuilt only after others, which are not here, do not count as newer."""
    clone.dvc("pull", "tables@micro")
    assert "Nothing to be done" in clone.makes("--dry-run", "tables")
    clone.dvc("pull", "evaluate@micro")
    for number, name in enumerate(("tables", "evaluations")):
        for path in (clone.folder / "results/micro" / name).rglob("*.*"):
            os.utime(path, (1_500_000_000 + number,) * 2)
    assert "Nothing to be done" in clone.makes("--dry-run", "tables")
    assert clone.planned() >= run_and_after(*RUNS)  # all: what is missing, and what depends on it
    clone.must("rm", "-r", "results/micro/evaluations")
    clone.dvc("pull", "datasets@micro", "train@micro")
    assert clone.planned() == {f"Evaluating {run}" for run in RUNS} | REPORT


def test_another_learning_rate_and_back(pulled: Clone) -> None:
    def change(scale: dict[str, Any]) -> None:  # git may not notice a change that leaves a file its length
        scale["translation"]["models"]["G-RNN"]["learning_rate"] = 0.025

    before = pulled.results()
    pulled.edit_params(change)
    assert "learning_rate" in pulled.dvc("params", "diff")
    wanted = run_and_after("translation/V2T/G-RNN/lr0.025/seed0")
    assert pulled.planned() == wanted
    said = pulled.dvc("repro")
    assert jobs(said) == wanted
    assert "Stage 'datasets@micro' didn't change, skipping" in said
    assert pulled.up_to_date()
    assert pulled.planned() == set()
    assert "test_mse" in pulled.dvc("metrics", "diff")
    pulled.git("checkout", "--quiet", "--", "params.yaml", "dvc.lock")
    pulled.dvc("checkout")
    assert pulled.planned() == set()
    assert pulled.up_to_date()
    assert pulled.results() == before


def test_swapped_values(pulled: Clone) -> None:
    def change(scale: dict[str, Any]) -> None:
        data, training = scale["translation"]["data"], scale["translation"]["training"]
        data["train"], training["batch"] = training["batch"], data["train"]

    pulled.edit_params(change)
    assert not pulled.up_to_date()
    assert {job for job in pulled.planned() if job.startswith("Training")} == {f"Training {run}" for run in RUNS}


def test_a_seed_more_and_a_seed_less(pulled: Clone) -> None:
    table, before = "tables/table1.csv", pulled.results()
    pulled.edit_params(lambda scale: scale["translation"].update(seeds=[0, 1]))
    assert pulled.planned() == run_and_after(*(f"{run}/seed1" for run in (GRNN, V1, V1_SLOW)))
    pulled.makes()
    assert pulled.results()[table] != before[table]
    pulled.edit_params(lambda scale: scale["translation"].update(seeds=[0]))
    assert pulled.planned() == REPORT
    assert jobs(pulled.makes()) == REPORT
    kept = pulled.results()
    assert {name: kept[name] for name in before} == before
    assert f"runs/{GRNN}/seed1/model.safetensors" in kept  # until it is pruned
    assert f"runs/{GRNN}/seed1/model.safetensors" in pulled.must("fernn", "prune", "--scale", "micro")
    assert pulled.results() == before
