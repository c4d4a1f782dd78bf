import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from fernn.experiments import load_params
from fernn.layout import Layout
from fernn.pipeline.stages import make_result
from fernn.runs import all_runs

SCALE = "tiny"
RUN = "translation/V1T/FERNN-V1T/lr0.003/seed0"
EPOCHS, BATCHES = 4, 8

# runs the command `fernn`, and sends its own process a signal: KILL at a moment of the second epoch that is
# drawn by the given seed, or another one right after the given number of batches
DRIVER = """
import os, random, signal, sys, threading, time
from fernn.cli import main
from fernn.training.progress import TrainingProgress

number, after = int(sys.argv.pop(1)), int(sys.argv.pop(1))
done, began, batch, epoch = 0, time.monotonic(), TrainingProgress.batch, TrainingProgress.epoch

def count(self, state):
    global done
    done += 1
    batch(self, state)
    if number != signal.SIGKILL and done == after:
        os.kill(os.getpid(), number)

def later(self, state):
    epoch(self, state)
    if number == signal.SIGKILL and state.epoch == 1:
        delay = random.Random(after).random() * (time.monotonic() - self._began)
        threading.Timer(delay, os.kill, (os.getpid(), number)).start()
    if number == signal.SIGKILL and state.epoch == 3:  # the first epoch was slow, the others were not
        os.kill(os.getpid(), number)

TrainingProgress.batch, TrainingProgress.epoch = count, later
main()
"""


@dataclass(frozen=True)
class Project:
    """A folder in which the command `fernn` runs."""

    folder: Path
    root: Path

    def start(self, *arguments: str, workers: int = 1) -> subprocess.Popen:
        environment = {**os.environ, "PYTHONPATH": str(self.root), "CUDA_VISIBLE_DEVICES": "", "COLUMNS": "200"}
        command = [sys.executable, *(arguments or ["-m", "fernn.cli"]), "train", RUN, "--scale", SCALE]
        command += ["--workers", str(workers)] if workers > 1 else []
        return subprocess.Popen(command, cwd=self.folder, env=environment, stderr=subprocess.PIPE, text=True)

    def result(self, file: str) -> bytes:
        return (self.folder / Layout(SCALE).run(RUN, file)).read_bytes()

    @property
    def checkpoint(self) -> Path:
        return self.folder / Layout(SCALE).unfinished(RUN) / "checkpoint.safetensors"

    @property
    def lock(self) -> Path:
        return self.folder / Layout(SCALE).lock(RUN)


def write_params(source: Path, target: Path) -> None:
    """The project's params.yaml with one more scale, of one small run."""
    content = yaml.safe_load((source / "params.yaml").read_text(encoding="utf-8"))
    data = {
        "frame": 14, "digit": 14, "digits": 2, "seen": 2, "predicted": 2,
        "train": 6 * BATCHES - 1, "validation": 8, "test": 8,
        "length": {"sequences": 4, "predicted": 4}, "velocity": {"sequences": 4, "flow": "V1T"},
    }  # fmt: skip
    content["scales"][SCALE] = {
        "allow_cpu": True,
        "checkpoint_minutes": 1e-6,  # after each batch
        "experiments": ["translation"],
        "mnist": {"folder": str(source / "resources" / "mnist-subset"), "sources": []},
        "translation": {
            "data": data,
            "architecture": {"hidden_channels": 6, "kernel_size": 3, "decoder_layers": 1},
            "models": {"FERNN-V1T": {"learning_rate": 3.0e-3}},
            "training": {
                "epochs": EPOCHS,
                "batch": 6,
                "clip_norm": 1.0,
                "precision": "float32",
                "winograd": True,
                "threads": 1,
            },
            "seeds": [0],
            "runs": [{"flow": "V1T", "models": ["FERNN-V1T"], "evaluate": ["test"]}],
        },
    }
    target.write_text(yaml.safe_dump(content), encoding="utf-8")


@pytest.fixture(scope="session")
def prepared(root, tmp_path_factory) -> Path:
    """A folder with the params and the data sets of the small run."""
    folder = tmp_path_factory.mktemp("project")
    write_params(root, folder / "params.yaml")
    params = load_params(folder / "params.yaml", SCALE)
    assert list(all_runs(params)) == [RUN]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for part in ("digits", "validation-V1T"):
            make_result(params, Layout(SCALE), "dataset", f"translation/{part}")
    return folder
