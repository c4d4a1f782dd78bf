"""A small project whose stages all ran once, in which faults are tried."""

import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from fernn.experiments import load_params
from fernn.files import sha256
from fernn.jobs import Job, Jobs
from fernn.layout import COST, RECORD, REPORT, Layout

ROOT = Path(__file__).parents[2]
SCALE = "faults"
SHARE = 1.0 if os.environ.get("FERNN_FAULTS") == "all" else 0.1  # of the faults that are tried
SEED = int(os.environ.get("FERNN_FAULTS_SEED", "0"))
NONE: dict[str, Any] = {"kind": "none"}

DIGITS = {"train": 8, "validation": 4, "test": 4, "seen": 2, "predicted": 2}
SMALL: dict[str, Any] = {
    "allow_cpu": True,
    "mnist": {"folder": "resources/mnist-subset", "sources": []},
    "translation": {
        "data": {
            "frame": 14,
            "digit": 7,
            **DIGITS,
            "length": {"sequences": 4, "predicted": 5},
            "velocity": {"sequences": 2, "flow": "V1T"},
        },
        "architecture": {"hidden_channels": 2, "decoder_layers": 1},
        "models": {"FERNN-V1T": {"learning_rate": 0.01}},
        "training": {"epochs": 3, "batch": 4, "threads": 1},
        "seeds": [0],
        "runs": [{"flow": "V1T", "models": ["FERNN-V1T"], "evaluate": ["test", "length", "velocity"]}],
    },
    "rotation": {
        "data": {
            "frame": 14,
            "digit": 14,
            "degrees": 90,
            **DIGITS,
            "length": {"sequences": 4, "predicted": 5},
            "velocity": {"sequences": 2, "flow": "V1R"},
        },
        "architecture": {"fields": 1, "group_order": 4, "decoder_layers": 1},
        "models": {"G-RNN": {"learning_rate": 0.01}},
        "training": {"epochs": 1, "batch": 4, "threads": 1},
        "seeds": [0],
        "runs": [{"flow": "V1R", "models": ["G-RNN"], "evaluate": ["test"]}],
    },
    "kth": {
        "source": {
            "folder": f"results/{SCALE}/downloads/kth",
            "stand_ins": {"persons": [1, 2, 3], "scenarios": [3], "frames": 112, "seed": 0},
        },
        "data": {
            "frame": 12,
            "frames": 4,
            "stride": 2,
            "persons": {"train": [1], "validation": [2], "test": [3]},
            "draws": 0,
        },
        "architecture": {"stem_channels": [2, 3, 4], "cnn_base": 2},
        "models": {"3D-CNN": {"learning_rate": 0.01}},
        "training": {"epochs": 2, "batch": 8, "threads": 1},
        "seeds": [0],
        "runs": [{"flow": "V1T", "models": ["3D-CNN"], "evaluate": ["V1T"]}],
    },
}


@dataclass(frozen=True)
class Answer:
    """What became of a command."""

    status: int
    said: str
    operations: int
    seconds: float


class Server:
    """Runs commands in forks of one process that has everything loaded."""

    def __init__(self) -> None:
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.server"],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert "ready" in self._answer()

    def __call__(self, folder: Path, *arguments: str, fault: dict[str, Any] = NONE) -> Answer:
        """Run `fernn` in a folder, with a fault."""
        assert self._process.stdin is not None
        request = {"folder": str(folder), "arguments": arguments, "fault": fault}
        print(json.dumps(request), file=self._process.stdin, flush=True)
        return Answer(**self._answer())

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the process that runs the commands has died"
        found: dict[str, Any] = json.loads(line)
        return found

    def close(self) -> None:
        """End it."""
        with self._process as process:
            assert process.stdin is not None
            process.stdin.close()


@dataclass
class Project:
    """A folder with params.yaml and all results of its scale."""

    folder: Path
    server: Server

    @property
    def jobs(self) -> Jobs:
        """By the params there."""
        return Jobs(load_params(self.folder / "params.yaml", SCALE), Layout(SCALE))

    def fernn(self, *arguments: str, fault: dict[str, Any] = NONE) -> Answer:
        """Run a command there."""
        scale = () if arguments[0] == "verify" else ("--scale", SCALE)  # records tell it
        return self.server(self.folder, *arguments, *scale, fault=fault)

    def digests(self) -> dict[str, str]:
        """Of all files that are the same whenever they are made."""
        left_out = (*COST, REPORT)
        return {
            str(path.relative_to(self.folder)): sha256(path)
            for path in sorted((self.folder / "results").rglob("*"))
            if path.is_file() and not path.name.endswith(RECORD) and path.name not in left_out
            if not {"locks", "unfinished"} & set(path.parts)
        }

    def leftovers(self) -> list[Path]:
        """What is half-written, under any name but a final one."""
        return [path for path in (self.folder / "results").rglob("*.partial") if path.is_file()]


def write_project(folder: Path) -> None:
    """The params of the small scale, and the digits."""
    content = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    content["scales"] = {SCALE: SMALL}
    for name in ("translation", "rotation", "kth"):  # only the models of the scale
        content[name]["models"] = {
            model: about for model, about in content[name]["models"].items() if model in SMALL[name]["models"]
        }
    (folder / "params.yaml").write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    (folder / "resources").symlink_to(ROOT / "resources")
    for name in ("Snakefile", "workflow"):  # what the report draws
        (folder / name).symlink_to(ROOT / name)


def commands(jobs: Jobs) -> Iterator[tuple[str, ...]]:
    """All commands that make a scale, in order."""
    for stage in ("standins", "fetch", "dataset", "train", "evaluate", "tables", "figures", "report"):
        if stage == "fetch":
            yield "fetch", "kth"
        for job in jobs.of(stage).values():
            yield of(job)


def of(job: Job) -> tuple[str, ...]:
    """The command that makes a job's result."""
    return (job.stage, job.name) if job.name else (job.stage,)


def drawn(cases: list[Any], name: str) -> list[Any]:
    """A seeded share of cases, at least one."""
    number = max(1, round(SHARE * len(cases)))
    return sorted(random.Random(f"{SEED} {name}").sample(cases, number), key=cases.index)
