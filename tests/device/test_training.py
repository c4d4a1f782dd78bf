"""On every device a training repeats and resumes bit for bit, and its checkpoint goes on on another."""

from pathlib import Path

import pytest
import torch

from fernn.models import load_model, save_model
from fernn.training.loop import Fit
from tests.closeness import relative_error
from tests.training.toy import Killed, kill, same, train

from .problems import BATCHES, PROBLEMS, Problem

problems = pytest.mark.parametrize("problem", PROBLEMS.values(), ids=PROBLEMS)
CPU = torch.device("cpu")
EPOCHS = 2


def trained(problem: Problem, device: torch.device, checkpoint: Path, after: int = 0, epochs: int = EPOCHS) -> Fit:
    task, model = problem.task(device, BATCHES), problem.model(device)
    return train(checkpoint, after, kill, task, model, epochs=epochs, learning_rate=1e-3)


@problems
def test_steps_are_equal_bit_for_bit_and_a_killed_training_resumes(problem, device, tmp_path):
    whole = trained(problem, device, tmp_path / "whole")
    assert same(trained(problem, device, tmp_path / "again"), whole)
    with pytest.raises(Killed):
        trained(problem, device, tmp_path / "killed", BATCHES + 1)
    assert same(trained(problem, device, tmp_path / "killed"), whole)


@problems
def test_a_training_goes_on_on_another_device_and_comes_back(problem, device, tmp_path):
    """Two devices round in two ways, and Adam's first steps are as large for a small gradient as for a large one."""
    whole = trained(problem, CPU, tmp_path / "whole", epochs=3)
    for epochs, at in ((1, CPU), (2, device), (3, CPU)):
        moved = trained(problem, at, tmp_path / "moved", epochs=epochs)
    assert [row["step"] for row in moved.history] == [row["step"] for row in whole.history]
    for found, expected in zip(moved.history, whole.history, strict=True):
        assert found["train_loss"] == pytest.approx(expected["train_loss"], rel=1e-3)
    for name, weight in moved.weights.items():
        assert relative_error(weight.cpu(), whole.weights[name]) < (1e-2 if device != CPU else 1e-12), name


@problems
def test_a_model_in_a_file_computes_the_same_on_every_device(problem, device, tmp_path):
    save_model(problem.model(device), tmp_path / "model")
    losses = []
    for at in (CPU, device):
        model, task = load_model(tmp_path / "model", at), problem.task(at, 1)
        assert {weight.device.type for weight in model.parameters()} == {at.type}
        losses.append(task.loss(model, task.batch(0, 0)).item())
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
