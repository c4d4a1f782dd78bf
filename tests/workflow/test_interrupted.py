"""A workflow that is killed or asked to stop goes on where it was; one that cannot begin says so before it begins."""

import os
import random
import shutil
import signal
import time
from pathlib import Path
from typing import Any

from tests.faults.harness import SEED, SHARE
from tests.faults.ledger import Ledger

from .conftest import SNAKEMAKE, Clone, Project

PASSES = "A killed run of Snakemake or DVC resumes, ends with the same bytes, and leaves no stale lock"
PULLS = "A killed `dvc pull` leaves no partial result; the next one, or the one after it, completes the download"
MADE = ("datasets", "runs", "evaluations", "tables", "figures")
# Snakemake first: by hand it would refuse to start beside one that a killed DVC left at work, for which DVC waits
KINDS = [(command, everything) for command in (SNAKEMAKE, ("dvc", "repro")) for everything in (True, False)]


def moments(number: int, name: str) -> list[random.Random]:
    """A seeded share of them."""
    return [random.Random(f"{SEED} {name} {each}") for each in range(max(1, round(number * SHARE)))]


def start_and_kill(clone: Clone, command: tuple[str, ...], after: float, everything: bool) -> None:
    said = clone.folder / ".dvc/tmp/said"
    under_way = clone.start(*command, log=said)
    time.sleep(after)
    (os.killpg if everything else os.kill)(under_way.pid, signal.SIGKILL)
    assert under_way.wait() in (-signal.SIGKILL, 0), said.read_text()


def test_a_pass(origin: Clone, pulled: Clone, ledger: Ledger, tmp_path: Path) -> None:
    """Killed four times within the half minute that it takes: Snakemake or DVC, alone or with its process group."""
    tried = moments(2, "pass")  # each takes two minutes
    for chance in tried:
        clone = Clone(shutil.copytree(pulled.folder, tmp_path / "project", symlinks=True))
        for name in chance.sample(MADE, 3):
            clone.must("rm", "-r", f"results/micro/{name}")
        for command, everything in KINDS:  # processes of the previous command may still run
            start_and_kill(clone, command, chance.uniform(1, 12), everything)
        clone.must("dvc", "repro")
        assert clone.results() == origin.results()
        assert clone.up_to_date()
        assert clone.planned() == set()
        shutil.rmtree(clone.folder)
    for command, everything in KINDS:
        how = "with its process group" if everything else "alone"
        ledger(PASSES, f"kill -9 of {command[0]}, {how}", len(tried))


def test_a_pull(origin: Clone, pulled: Clone, ledger: Ledger, tmp_path: Path) -> None:
    whole = origin.results()
    tried = moments(20, "pull")
    for chance in tried:
        clone = Clone(shutil.copytree(pulled.folder, tmp_path / "project", symlinks=True))
        clone.must("rm", "-r", "results", ".dvc/cache")
        start_and_kill(clone, ("dvc", "pull"), chance.uniform(0.5, 3), everything=True)
        for under_way in clone.folder.glob("results/**/.*.tmp"):  # DVC leaves them, under names of its own
            under_way.unlink()
        for name, digest in clone.results().items():
            assert digest == whole[name], f"{name} is half there"
        if clone.run("dvc", "pull").returncode:  # DVC's own index of the remote may have been left half-written
            clone.dvc("pull")
        assert clone.results() == whole
        assert clone.up_to_date()
        shutil.rmtree(clone.folder)
    ledger(PULLS, "kill -9 of dvc pull", len(tried))


ONE_CORE = ("snakemake", "--cores", "1", "--config", "scale=micro")


def longer(scale: dict[str, Any]) -> None:
    scale["translation"]["training"]["epochs"] = 80


def test_it_is_asked_to_stop(project: Project) -> None:
    """Without its trainings it would wait until they are done."""
    project.edit_params(longer)
    said = project.folder / "said"
    process = project.start(*ONE_CORE, log=said)
    patience = time.monotonic() + 300
    while not list(project.folder.glob("results/micro/unfinished/**/checkpoint.safetensors")):
        assert process.poll() is None, said.read_text()
        assert time.monotonic() < patience
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) != 0
    assert "Traceback" not in said.read_text()
    (checkpoint,) = project.folder.glob("results/micro/unfinished/**/checkpoint.safetensors")
    run = "/".join(checkpoint.parent.relative_to(project.folder / "results/micro/unfinished").parts)
    assert not (project.folder / f"results/micro/runs/{run}/model.safetensors").exists()
    project.makes("--", f"results/micro/runs/{run}/model.safetensors")
    assert f"{run}: goes on after epoch" in (project.folder / f"results/micro/logs/train/{run}.log").read_text()


def without_cpu(scale: dict[str, Any]) -> None:
    scale["allow_cpu"] = False
    scale["resources"] = {"train": {"gpu": 1}, "evaluate": {"gpu": 1}}
    scale["translation"]["data"]["test"] = 5  # a data set is to be made first


def test_without_a_gpu_it_says_so_once(project: Project) -> None:
    project.edit_params(longer)
    project.edit_params(without_cpu)
    test = project.folder / "results/micro/datasets/translation/test-V2T.safetensors"
    before = test.read_bytes()
    ended = project.run(*ONE_CORE, CUDA_VISIBLE_DEVICES="")
    told = ended.stdout + ended.stderr
    assert ended.returncode != 0
    assert told.count("computes on a GPU, and there is none here: 3 trainings and 3 evaluations are to be done") == 1
    assert "Traceback" not in told
    assert test.read_bytes() == before
    project.must(*ONE_CORE, "--until", "dataset", CUDA_VISIBLE_DEVICES="")
    assert test.read_bytes() != before
