"""The command `fernn train --workers`: a worker or their parent is killed, or all are stopped, and the run goes on."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from fernn.locks import myself
from fernn.training.checkpoint import read_checkpoint

from .conftest import EPOCHS, RUN, SCALE, Project

RESULTS = ["model.safetensors", "metrics.csv"]
COUNTS = (2, 3)


@pytest.fixture(scope="module")
def project(prepared, root, tmp_path_factory) -> Callable[[], Project]:
    """New folders alike."""
    base = tmp_path_factory.mktemp("workers")
    numbers = iter(range(100))

    def new() -> Project:
        return Project(shutil.copytree(prepared, base / str(next(numbers)), copy_function=shutil.copy2), root)

    return new


@pytest.fixture(scope="module")
def undisturbed(project) -> dict[int, Project]:
    """By world size."""
    found = {count: project() for count in COUNTS}
    for count, each in found.items():
        finish(each, count)
    return found


def finish(project: Project, workers: int) -> str:
    run = project.start(workers=workers)
    said: str = run.communicate(timeout=300)[1]
    assert run.returncode == 0, said
    assert record(project)["details"]["workers"] == workers
    return said


def record(project: Project) -> dict:
    found: dict = json.loads((project.folder / f"results/{SCALE}/runs/{RUN}/record.json").read_text())
    return found


def children(pid: int) -> list[int]:
    """Its workers, by rank; among the children of a process are torch's own helpers."""
    found = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return [child for child in found if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()]


def started_epoch(run: subprocess.Popen, epoch: int) -> Iterator[str]:
    """Lines until an epoch has begun."""
    assert run.stderr is not None
    for line in run.stderr:
        yield line
        if f"epoch {epoch - 1}/{EPOCHS}" in line:
            return


def strike(run: subprocess.Popen, seed: int, whom: Callable[[subprocess.Popen], int], signum: int) -> list[int]:
    """Send a signal at a moment of the second epoch; returns the workers."""
    print(f"seed of the moment: {seed}")
    for _ in started_epoch(run, 2):
        pass
    time.sleep(random.Random(seed).random() * 0.2)
    workers = children(run.pid)
    os.kill(whom(run), signum)
    return workers


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def parent(run: subprocess.Popen) -> int:
    return run.pid


def last_worker(run: subprocess.Popen) -> int:
    return children(run.pid)[-1]


ENDS = {
    "a worker is killed": (last_worker, signal.SIGKILL, 1),
    "the parent is killed": (parent, signal.SIGKILL, -signal.SIGKILL),
    "stopped": (parent, signal.SIGTERM, 128 + signal.SIGTERM),
    "a worker is stopped": (last_worker, signal.SIGTERM, 128 + signal.SIGTERM),
}


@pytest.mark.slow
@pytest.mark.parametrize(("end", "then"), [*zip(ENDS, [2, 3, 1, 2], strict=True)])
def test_it_goes_on_with_any_number_and_with_the_same_to_the_same_bits(project, undisturbed, end, then):
    whom, signum, status = ENDS[end]
    before = 3 if then == 3 else 2
    ours = project()
    run = ours.start(workers=before)
    workers = strike(run, random.SystemRandom().randrange(2**32), whom, signum)
    said = run.communicate(timeout=120)[1]
    assert run.returncode == status, said
    assert len(workers) == before
    deadline = time.monotonic() + 30
    while not all(map(gone, workers)):
        assert time.monotonic() < deadline, "a worker outlived its parent"
        time.sleep(0.05)
    if end == "a worker is killed":
        assert f"rank {before - 1} of {before} died of SIGKILL, and the others were ended" in said
    elif signum == signal.SIGTERM:
        assert "stopped by SIGTERM; the same command goes on from" in said
    assert "Traceback" not in said
    kept = read_checkpoint(ours.checkpoint, torch.device("cpu"))
    assert 1 <= kept.epoch < EPOCHS
    again = finish(ours, then)
    assert "goes on after epoch" in again
    assert ours.checkpoint.exists()
    assert myself().host == record(ours)["environment"]["host"]
    if then == before:
        assert [ours.result(file) for file in RESULTS] == [undisturbed[then].result(file) for file in RESULTS]


@pytest.mark.slow
def test_their_number_is_told_and_makes_the_same_bytes_again(undisturbed):
    project = undisturbed[2]
    command = [sys.executable, "-m", "fernn.cli", "verify", "--again", f"results/{SCALE}/runs"]
    environment = {**os.environ, "PYTHONPATH": str(project.root), "CUDA_VISIBLE_DEVICES": ""}
    ended = subprocess.run(command, cwd=project.folder, env=environment, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert f"up to date: train {RUN}" in ended.stdout
    assert "2 ranks shared each batch; another world size rounds sums differently" in ended.stdout


@pytest.mark.slow
def test_several_nodes_are_refused(project, monkeypatch):
    monkeypatch.setenv("SLURM_JOB_NUM_NODES", "2")
    run = project().start(workers=2)
    said = run.communicate(timeout=120)[1]
    assert run.returncode == 1
    assert "this Slurm job has 2 nodes, but the 2 GPUs that share a run must be in one: request --nodes=1" in said
