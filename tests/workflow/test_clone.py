"""A fresh clone after `dvc pull` knows what is up to date, and a change runs exactly what depends on it."""

import os
import random
from typing import Any

import pytest

from .conftest import Clone, jobs
from .test_dag import GRNN, REPORT, V1, V1_SLOW, run_and_after

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


def test_in_any_order_of_times(pulled: Clone) -> None:
    shuffle_times(pulled)
    assert pulled.planned() == set()
    shuffle_times(pulled)  # once more, when Snakemake has records of its own
    assert pulled.planned() == set()
    assert pulled.up_to_date()


@pytest.mark.drawn(share=0.2)
@pytest.mark.parametrize("links", ["hardlink", "symlink", "copy"])
def test_with_any_kind_of_link_to_the_cache(clone: Clone, links: str) -> None:
    clone.dvc("config", "--local", "cache.type", links)
    clone.dvc("pull")
    model = clone.folder / f"results/micro/runs/{V1}/seed0/model.safetensors"
    assert model.is_symlink() == (links == "symlink")
    assert (model.stat().st_nlink > 1) == (links == "hardlink")
    shuffle_times(clone)
    assert clone.planned() == set()
    assert clone.up_to_date()
    assert model.is_symlink() == (links == "symlink")
    # any deleted result comes back; all jobs that run again, over links of what they write, leave the cache alone
    cache = {path: path.read_bytes() for path in (clone.folder / ".dvc/cache/files").rglob("*") if path.is_file()}
    modes, before = {path: path.stat().st_mode for path in cache}, clone.results()
    for name in DELETED[:1] if links == "copy" else DELETED:
        (clone.folder / "results/micro" / name).unlink()
    ended = clone.snakemake()
    assert ended.returncode == 0, ended.stderr
    assert clone.results() == before
    assert {path: path.read_bytes() for path in cache} == cache
    assert {path: path.stat().st_mode for path in cache} == modes
    assert clone.planned() == set()
    clone.must("rm", "-r", "results")
    clone.dvc("checkout")
    assert clone.planned() == set()


def test_after_a_pull_of_a_part(clone: Clone) -> None:
    clone.dvc("pull", "tables@micro")
    ended = clone.snakemake("--dry-run", "tables")
    assert "Nothing to be done" in ended.stdout + ended.stderr
    clone.dvc("pull", "datasets@micro", "train@micro")
    assert clone.planned() == {f"Evaluating {run}/seed0" for run in (GRNN, V1, V1_SLOW)} | REPORT
    clone.dvc("pull")
    assert clone.planned() == set()


def test_a_deleted_checkpoint_comes_back(pulled: Clone) -> None:
    before = pulled.results()
    (pulled.folder / f"results/micro/runs/{V1}/seed0/model.safetensors").unlink()
    assert not pulled.up_to_date()
    assert pulled.planned() == run_and_after(f"{V1}/seed0")
    ended = pulled.snakemake()
    assert jobs(ended.stdout + ended.stderr) == run_and_after(f"{V1}/seed0")
    assert pulled.results() == before
    assert jobs(pulled.dvc("repro")) == set()
    assert pulled.up_to_date()


def test_another_learning_rate_and_back(pulled: Clone) -> None:
    def change(scale: dict[str, Any]) -> None:
        scale["translation"]["models"]["G-RNN"]["learning_rate"] = (
            0.025  # git may not notice a change that leaves a file its length
        )

    before = pulled.results()
    pulled.edit_params(change)
    assert "learning_rate" in pulled.dvc("params", "diff")
    wanted = run_and_after("translation/V2T/G-RNN/lr0.025/seed0")
    assert pulled.planned() == wanted
    assert jobs(pulled.dvc("repro")) == wanted
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
    trainings = {f"Training {run}/seed0" for run in (GRNN, V1, V1_SLOW)}
    assert {job for job in pulled.planned() if job.startswith("Training")} == trainings
    pulled.dvc("repro", "dependencies@micro")
    assert "train@micro" in pulled.dvc("status")


def test_code(pulled: Clone) -> None:
    def append(file: str, line: str) -> None:
        with (pulled.folder / file).open("a") as opened:
            opened.write(line)

    append("README.md", "\n<!-- a comment -->\n")
    assert pulled.up_to_date()
    assert pulled.planned() == set()
    append("fernn/models/cnn3d.py", "\nX = 1\n")  # of another family
    assert pulled.planned() == set()
    append("fernn/models/predictor.py", "\nX = 1\n")
    assert pulled.planned() == run_and_after(f"{GRNN}/seed0", f"{V1}/seed0", f"{V1_SLOW}/seed0")
    said = pulled.dvc("repro", "train@micro")
    assert jobs(said) == {f"Training {run}/seed0" for run in (GRNN, V1, V1_SLOW)}
    assert "Stage 'datasets@micro' didn't change, skipping" in said
    assert "evaluate@micro" in pulled.dvc("status")


def test_what_a_killed_writer_left_is_no_change(pulled: Clone) -> None:
    for folder in ("tables", "figures", f"runs/{GRNN}/seed0"):
        (pulled.folder / "results/micro" / folder / ".table1.md.x1y2z3.partial").write_text("half")
    assert pulled.up_to_date()
    assert pulled.planned() == set()


def test_a_seed_more_and_a_seed_less(pulled: Clone) -> None:
    table, before = "tables/table1.csv", pulled.results()
    pulled.edit_params(lambda scale: scale["translation"].update(seeds=[0, 1]))
    wanted = run_and_after(*(f"{run}/seed1" for run in (GRNN, V1, V1_SLOW)))
    assert pulled.planned() == wanted
    assert pulled.snakemake().returncode == 0
    assert pulled.results()[table] != before[table]
    pulled.edit_params(lambda scale: scale["translation"].update(seeds=[0]))
    assert pulled.planned() == REPORT
    assert jobs(pulled.dvc("repro")) == REPORT
    kept = pulled.results()
    assert {name: kept[name] for name in before} == before
    assert f"runs/{GRNN}/seed1/model.safetensors" in kept  # until it is pruned
    said = pulled.must("fernn", "prune", "--scale", "micro")
    assert f"runs/{GRNN}/seed1/model.safetensors" in said
    assert pulled.results() == before
