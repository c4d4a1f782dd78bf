"""Snakemake, `dvc repro` and `dvc pull` that are killed at any moment go on where they were."""

import os
import random
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.faults.harness import SEED, SHARE
from tests.faults.ledger import Ledger

from .conftest import Clone

PASSES = (
    "A pass of Snakemake or DVC that is killed goes on where it was, and ends with the same bytes, with no lock to undo"
)
PULLS = "A `dvc pull` that is killed leaves no half result; the next one, or the one after that, completes it"
MADE = ("datasets", "runs", "evaluations", "tables", "figures")
BOTH = pytest.mark.parametrize("everything", [False, True], ids=["alone", "with all that it started"])


def moments(number: int, name: str) -> list[random.Random]:
    """A seeded share of them."""
    return [random.Random(f"{SEED} {name} {each}") for each in range(max(1, round(number * SHARE)))]


def start_and_kill(clone: Clone, command: list[str], after: float, everything: bool) -> None:
    with open(clone.folder / ".dvc/tmp/said", "w") as said:
        under_way = subprocess.Popen(
            command,
            cwd=clone.folder,
            env=clone.environment,
            stdout=said,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        time.sleep(after)
        if everything:
            os.killpg(under_way.pid, signal.SIGKILL)
        else:
            os.kill(under_way.pid, signal.SIGKILL)
        under_way.wait()


@pytest.mark.drawn(share=0.2)
@BOTH
@pytest.mark.parametrize(
    "command", [["snakemake", "--cores", "all", "--config", "scale=micro"], ["dvc", "repro"]], ids=lambda c: c[0]
)
def test_a_pass(
    origin: Clone, pulled: Clone, command: list[str], everything: bool, ledger: Ledger, tmp_path: Path
) -> None:
    """Killed within the half minute that it takes; what it started may still be at work when it starts again."""
    tried = moments(1 if command[0] == "dvc" else 2, f"{command[0]} {everything}")  # one takes a minute
    for chance in tried:
        clone = Clone(shutil.copytree(pulled.folder, tmp_path / "project", symlinks=True))
        for name in chance.sample(MADE, 3):
            clone.must("rm", "-r", f"results/micro/{name}")
        start_and_kill(clone, command, chance.uniform(1, 25), everything)
        clone.must(*command)
        assert clone.results() == origin.results()
        if command[0] == "dvc":
            assert clone.up_to_date()
        assert clone.planned() == set()
        shutil.rmtree(clone.folder)
    ledger(PASSES, f"kill -9 of {command[0]}, {'with all that it started' if everything else 'alone'}", len(tried))


def test_a_pull(origin: Clone, pulled: Clone, ledger: Ledger, tmp_path: Path) -> None:
    whole = origin.results()
    tried = moments(20, "pull")
    for chance in tried:
        clone = Clone(shutil.copytree(pulled.folder, tmp_path / "project", symlinks=True))
        clone.must("rm", "-r", "results", ".dvc/cache")
        start_and_kill(clone, ["dvc", "pull"], chance.uniform(0.5, 3), everything=True)
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
