"""The command `fernn train` in processes of their own: killed, stopped, started again."""

import csv
import io
import json
import random
import shutil
import signal
import sys

import pytest
import torch

from fernn.cli import main
from fernn.experiments import load_params
from fernn.models import load_model
from fernn.runs import all_runs
from fernn.training.checkpoint import read_checkpoint

from .conftest import BATCHES, DRIVER, EPOCHS, RUN, SCALE, Project

RESULTS = ["model.safetensors", "metrics.csv"]


@pytest.fixture(scope="module")
def projects(prepared, root, tmp_path_factory) -> list[Project]:
    """Three folders alike."""
    base = tmp_path_factory.mktemp("projects")
    return [
        Project(shutil.copytree(prepared, base / name, copy_function=shutil.copy2), root)
        for name in ("undisturbed", "killed", "stopped")
    ]


@pytest.mark.slow
def test_killed_and_stopped_runs_end_as_the_undisturbed_one(projects):
    undisturbed, killed, stopped = projects
    after, seed = BATCHES + 3, random.SystemRandom().randrange(2**32)
    print(f"seed of the moment of the kill: {seed}")
    runs = [  # side by side: most of the time they load libraries
        undisturbed.start(),
        killed.start("-c", DRIVER, str(int(signal.SIGKILL)), str(seed)),
        stopped.start("-c", DRIVER, str(int(signal.SIGTERM)), str(after)),
    ]
    said = [run.communicate(timeout=300)[1] for run in runs]
    assert [run.returncode for run in runs] == [0, -signal.SIGKILL, 128 + signal.SIGTERM], said
    assert "stopped by SIGTERM; the same command goes on from" in said[2]

    cpu = torch.device("cpu")
    states = [read_checkpoint(project.checkpoint, cpu) for project in (killed, stopped)]
    assert 1 <= states[0].epoch < EPOCHS
    assert (states[1].epoch, states[1].batch) == divmod(after, BATCHES)

    runs = [project.start() for project in (killed, stopped)]
    again = [run.communicate(timeout=300)[1] for run in runs]
    assert [run.returncode for run in runs] == [0, 0], again
    assert "goes on after epoch 1, batch 3 of 8" in again[1]
    for project in (killed, stopped):
        assert [project.result(file) for file in RESULTS] == [undisturbed.result(file) for file in RESULTS]
        assert project.checkpoint.exists()
        assert max(project.lock.iterdir()).read_text() == "null\n"  # it is free

    rows = list(csv.DictReader(io.StringIO(undisturbed.result("metrics.csv").decode())))
    assert [row["epoch"] for row in rows] == [str(epoch) for epoch in range(1, EPOCHS + 1)]
    assert all(f"epoch {epoch}/{EPOCHS}" in said[0] for epoch in range(1, EPOCHS + 1))
    model = load_model(undisturbed.folder / "results" / SCALE / "runs" / RUN / "model.safetensors")
    assert model.config["flow"] == "V1T"


@pytest.mark.slow
def test_a_run_that_is_started_twice_is_trained_once(prepared, root, tmp_path):
    project = Project(shutil.copytree(prepared, tmp_path / "project", copy_function=shutil.copy2), root)
    runs = [project.start(), project.start()]
    said = [run.communicate(timeout=300)[1] for run in runs]
    assert [run.returncode for run in runs] == [0, 0], said
    waited, trained = sorted(said, key=lambda text: "already up to date" not in text)
    assert f"epoch 1/{EPOCHS}" in trained
    assert f"epoch 1/{EPOCHS}" not in waited
    assert f"train {RUN}: already up to date" in waited
    # Snakemake removes the outputs of a job that it starts once more: they come back without a training
    before = [project.result(file) for file in RESULTS]
    shutil.rmtree(project.folder / "results" / SCALE / "runs")
    again = project.start()
    assert f"epoch 1/{EPOCHS}" not in again.communicate(timeout=300)[1]
    assert [project.result(file) for file in RESULTS] == before
    record = json.loads(project.result("record.json"))
    assert record["details"]["steps"] == EPOCHS * BATCHES
    assert record["details"]["seconds"] > 0


def fernn(monkeypatch, capsys, *arguments: str) -> tuple[int, str]:
    """Exit status and error output of the command, run in this process."""
    monkeypatch.setattr(sys, "argv", ["fernn", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    return ended.value.code, capsys.readouterr().err


@pytest.mark.parametrize("stage", ["train", "evaluate"])
def test_paper_scale_without_a_gpu(root, monkeypatch, capsys, stage):
    monkeypatch.chdir(root)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    run = next(iter(all_runs(load_params("params.yaml", "paper"))))
    status, said = fernn(monkeypatch, capsys, stage, run, "--scale", "paper")
    assert status == 1
    assert said.startswith("fernn: scale paper needs a CUDA GPU")
    assert all(way in said for way in ("--scale quick", "--allow-cpu", "allow_cpu: true"))
