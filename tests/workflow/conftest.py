"""A throw-away copy of the project with a scale of its own, small enough to run the real workflow in a test."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parent.parent.parent
PARTS = ["Snakefile", "params.yaml", "profiles", "workflow", "fernn", "resources"]

MICRO = {
    "allow_cpu": True,
    "experiments": ["translation"],
    "mnist": {"folder": "resources/mnist-subset", "sources": []},
    "translation": {
        "data": {
            "frame": 14,
            "digit": 7,
            "seen": 2,
            "predicted": 2,
            "train": 8,
            "validation": 4,
            "test": 4,
            "length": {"sequences": 4, "predicted": 5},
            "velocity": {"sequences": 2, "flow": "V1T"},
        },
        "architecture": {"hidden_channels": 2, "decoder_layers": 1},
        "models": {name: {"learning_rate": 0.01} for name in ("G-RNN", "FERNN-V1T", "FERNN-V2T")},
        "training": {"epochs": 1, "batch": 4, "threads": 1},
        "seeds": [0],
        "runs": [
            {"flow": "V2T", "models": ["G-RNN", "FERNN-V1T"], "evaluate": ["test", "length"]},
            {"flow": "V1T", "models": ["FERNN-V1T"], "evaluate": ["velocity"]},
        ],
    },
}


@dataclass
class Project:
    """A copy of the project in a folder of its own."""

    folder: Path

    def snakemake(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the real command."""
        # the copy's library goes before the installed one, in Snakemake itself and in its jobs
        environment = {**os.environ, "PYTHONPATH": str(self.folder)}
        command = [sys.executable, "-m", "snakemake", "--cores", "all", "--config", "scale=micro", *arguments]
        return subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True)

    def planned(self) -> set[str]:
        """The jobs that a dry run would run, by their messages, but for the closing one."""
        ended = self.snakemake("--dry-run")
        assert ended.returncode == 0, ended.stdout + ended.stderr
        jobs = re.findall(r"^Job \d+: (.+)$", ended.stdout + ended.stderr, re.MULTILINE)
        return {job for job in jobs if not job.startswith("Scale ")}

    def edit_params(self, change: Callable[[dict[str, Any]], None]) -> None:
        """Change the small scale."""
        path = self.folder / "params.yaml"
        content = yaml.safe_load(path.read_text())
        change(content["scales"]["micro"])
        path.write_text(yaml.safe_dump(content, sort_keys=False))

    def read(self, path: str) -> bytes:
        """A result's bytes."""
        return (self.folder / "results/micro" / path).read_bytes()


def make_project(folder: Path) -> Project:
    for part in PARTS:
        source = ROOT / part
        if source.is_dir():
            shutil.copytree(source, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source, folder / part)
    path = folder / "params.yaml"
    content = yaml.safe_load(path.read_text())
    content["scales"]["micro"] = MICRO
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return Project(folder)


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project whose workflow has run once; only for tests that leave it as it is."""
    project = make_project(tmp_path_factory.mktemp("finished"))
    ended = project.snakemake()
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return project


@pytest.fixture
def project(finished: Project, tmp_path: Path) -> Project:
    """A copy of the finished project, with all its times, to change at will."""
    shutil.copytree(finished.folder, tmp_path / "project")
    return Project(tmp_path / "project")


@pytest.fixture
def fresh(tmp_path: Path) -> Project:
    """A project in which nothing has run."""
    folder = tmp_path / "fresh"
    folder.mkdir()
    return make_project(folder)
