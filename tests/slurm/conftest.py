"""A cluster, a small project that has run without it, and copies of that project with something left to do."""

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.workflow.conftest import Clone, Project, make_project

from .cluster import Cluster, cluster, until

EPOCHS, BATCHES = 800, 2
MODELS, SEEDS = ("G-RNN", "FERNN-V1T"), (0, 1)
RUNS = [f"translation/V2T/{model}/lr0.01/seed{seed}" for model in MODELS for seed in SEEDS]
SMALL = {"mem_mb": 1000, "runtime": 10, "cpus": 1}

# as the README says it, and then what makes Slurm's answers come sooner than a large cluster would like
WORD_FOR_WORD = ["snakemake", "--cores", "all", "--profile", "slurm", "--config", "scale=micro"]
SOONER = [
    "--slurm-init-seconds-before-status-checks",
    "2",
    "--seconds-between-status-checks",
    "2",
    "--latency-wait",
    "10",
]


def lengthen(scale: dict[str, Any]) -> None:
    """Trainings that take long enough to be disturbed, on a GPU each."""
    gpu, none = {**SMALL, "gpu": 1}, {**SMALL, "gpu": 0}
    scale["resources"] = {"dataset": none, "train": gpu, "evaluate": gpu}
    scale["translation"] |= {
        "training": {"epochs": EPOCHS, "batch": 4, "threads": 1},
        "seeds": list(SEEDS),
        "runs": [{"flow": "V2T", "models": list(MODELS), "evaluate": ["test"]}],
    }


class OnCluster(Clone):
    """A project whose jobs are Slurm's."""

    running: subprocess.Popen[bytes]

    @contextmanager
    def under_way(self) -> Iterator[subprocess.Popen[bytes]]:
        """Snakemake at work; killed at the end, if it still is."""
        self.running = running = self.start(*WORD_FOR_WORD, *SOONER, log=self.folder / "said.log")
        try:
            yield running
        finally:
            if running.poll() is None:
                os.killpg(running.pid, signal.SIGKILL)
                running.wait()

    def ends_well(self, running: subprocess.Popen[bytes], seconds: float = 900) -> None:
        """Wait for it."""
        try:
            status = running.wait(seconds)
        except subprocess.TimeoutExpired:
            status = None
        assert status == 0, f"{status}\n{self.said()[-20000:]}"

    def until(self, condition: Callable[[], bool], what: str, seconds: float = 600) -> None:
        """Wait for something to become true while Snakemake runs."""
        until(lambda: condition() or self.running.poll() is not None, seconds, what)
        assert condition(), f"no {what}, but Snakemake has ended\n{self.said()[-20000:]}"

    def said(self) -> str:
        """All that Snakemake said."""
        return (self.folder / "said.log").read_text()

    def training(self, slurm: Cluster, run: str, states: str = "RUNNING") -> list[str]:
        """The jobs that train a run."""
        comment = f"rule_train_wildcards_{run.replace('/', '_')}"
        return [job for job, (of, _) in slurm.jobs(self.folder, states).items() if of == comment]

    def epoch(self, run: str) -> int:
        """How far a run has come, by its checkpoint."""
        file = self.folder / f"results/micro/unfinished/{run}/checkpoint.safetensors"
        if not file.exists():
            return 0
        content = file.read_bytes()
        header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
        return json.loads(header["__metadata__"]["fernn"])["epoch"]

    def started(self, slurm: Cluster, run: str) -> str:
        """The job of a run, as soon as it has something to lose."""
        self.until(lambda: self.epoch(run) > 0, f"epoch of {run}")
        (job,) = self.training(slurm, run)
        return job

    def record(self, run: str) -> dict[str, Any]:
        """The record of a finished run."""
        return json.loads(self.read(f"runs/{run}/record.json"))

    def leftovers(self) -> list[Path]:
        """Files that only something half-done would have left."""
        base = self.folder / "results/micro"
        return [*base.rglob("*.partial"), *(path for path in (base / "unfinished").rglob("*") if path.is_file())]


@pytest.fixture(scope="session")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with cluster(tmp_path_factory.mktemp("slurm")) as made:
        yield made


@pytest.fixture(scope="session")
def local(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """The project, finished on this machine alone."""
    project: Project = make_project(tmp_path_factory.mktemp("local"))
    project.edit_params(lengthen)
    project.makes()
    return Clone(project.folder)


@pytest.fixture
def with_a_run_to_do(local: Clone, tmp_path: Path) -> OnCluster:
    """A copy that lacks the first run."""
    copy = OnCluster(Path(shutil.copytree(local.folder, tmp_path / "copy")))
    shutil.rmtree(copy.folder / f"results/micro/runs/{RUNS[0]}")
    return copy
