import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from fernn.cli import main

SCALE = "tiny"
EPOCHS, BATCH, CLIPS = 2, 8, 24  # one video of each action has four sequences
MODELS = ["3D-CNN", "G-RNN", "G-RNN+", "FERNN-V1T", "FERNN-V2T"]
RUNS = {model: f"kth/V1T/{model}/lr0.01/seed0" for model in MODELS}

Fernn = Callable[..., int]


def write_params(source: Path, target: Path, precision: str = "float32", **data: Any) -> None:
    """The project's params.yaml with one more scale, of small networks on a few stand-ins for KTH."""
    content = yaml.safe_load((source / "params.yaml").read_text(encoding="utf-8"))
    content["scales"][SCALE] = {
        "allow_cpu": True,
        "experiments": ["kth"],
        "kth": {
            "source": {
                "folder": f"results/{SCALE}/downloads/kth",
                "stand_ins": {"persons": [1, 2, 3], "scenarios": [3], "frames": 112, "seed": 0},
            },
            "data": {
                "frame": 12, "frames": 4, "stride": 2, "persons": {"train": [1], "validation": [2], "test": [3]},
                "draws": 0, **data
            },
            "architecture": {"stem_channels": [2, 3, 4], "cnn_base": 2},
            "models": {model: {"learning_rate": 0.01} for model in MODELS},
            "training": {"epochs": EPOCHS, "batch": BATCH, "precision": precision, "threads": 1},
            "seeds": [0],
            "runs": [{"flow": "V1T", "models": MODELS, "evaluate": ["V0T", "V1T"]}],
        },
    }  # fmt: skip
    target.write_text(yaml.safe_dump(content), encoding="utf-8")


def run_fernn(*arguments: str) -> int:
    """The exit status of the command, run in this process, in the folder where this is."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["fernn", *arguments, "--scale", SCALE])
        with pytest.raises(SystemExit) as ended:
            main()
    return ended.value.code


@pytest.fixture(scope="session")
def made(root, tmp_path_factory) -> Path:
    """A folder with the params and all data sets of the small scale; not to be changed."""
    folder = tmp_path_factory.mktemp("kth")
    write_params(root, folder / "params.yaml")
    parts = ["frames", "train-V1T", "validation-V1T", "test-V0T", "test-V1T"]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for stage in (["standins"], ["fetch", "kth"], *(["dataset", f"kth/{part}"] for part in parts)):
            assert run_fernn(*stage) == 0
    return folder


@pytest.fixture(scope="session")
def trained(made, tmp_path_factory) -> Path:
    """A folder in which every model was trained and evaluated; not to be changed."""
    folder = shutil.copytree(made, tmp_path_factory.mktemp("trained") / "kth")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for run in RUNS.values():
            assert run_fernn("train", run) == 0
            assert run_fernn("evaluate", run) == 0
    return folder


@pytest.fixture
def fernn(made, tmp_path, monkeypatch) -> Fernn:
    """The command, in a copy of the folder with the data sets."""
    monkeypatch.chdir(shutil.copytree(made, tmp_path / "kth"))
    return run_fernn
