"""A training step never waits: the host runs ahead, and the device always has something to do."""

import pytest
import torch
from torch import nn

from tests.training.toy import train

from .problems import BATCHES, PROBLEMS, Problem
from .waits import Waits, never_waits

problems = pytest.mark.parametrize("problem", PROBLEMS.values(), ids=PROBLEMS)
META = torch.device("meta")


class Steps:
    """Training steps as `fernn.training.loop.fit` takes them, the batches included.

    The first step moves what is computed once, such as the source of each pixel, to the device.
    """

    def __init__(self, problem: Problem, device: torch.device) -> None:
        self.model = problem.model(device).train()
        self.task = problem.task(device, BATCHES)
        # on the meta device fused Adam is not to be had: there nothing is updated
        self.optimizer = None if device == META else torch.optim.Adam(self.model.parameters(), fused=True)
        self.loss_sum = torch.zeros((), dtype=torch.float64, device=device)
        self.take(0)

    def take(self, number: int) -> None:
        self.model.zero_grad(set_to_none=True)
        for share, part in self.task.parts(self.task.batch(0, number)):
            loss = self.task.loss(self.model, part) * share
            loss.backward()
            self.loss_sum += loss.detach()
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        if self.optimizer is not None:
            self.optimizer.step()


@problems
def test_a_training_step_reads_nothing_back(problem, device):
    steps = Steps(problem, device)
    with never_waits(device):
        steps.take(1)


@problems
def test_a_training_step_copies_nothing_between_devices(problem):
    steps = Steps(problem, META)
    with never_waits(META):
        steps.take(1)


@problems
def test_the_loop_reads_at_the_end_of_an_epoch_alone(problem, tmp_path):
    """However many batches an epoch has, as many values are read back in it."""
    cpu, reads = torch.device("cpu"), []
    for batches in (2, BATCHES):
        task = problem.task(cpu, batches)
        with Waits() as watch:
            train(tmp_path / f"{batches}", task=task, model=problem.model(cpu), epochs=1)
        reads.append(watch.found)
    assert len(reads[0]) == len(reads[1]) > 0


@pytest.mark.parametrize(
    "spoil",
    [lambda maps: maps.sum().item(), lambda maps: maps[maps > 0], lambda maps: maps.max() > 0 or maps, torch.nonzero],
    ids=["a value", "a mask", "a branch", "places"],
)
def test_a_read_is_noticed(spoil):
    with Waits() as watch:
        spoil(torch.ones(3))
    assert len(watch.found) == 1


def test_a_copy_is_noticed():
    with Waits() as watch:
        torch.arange(3).to(META)
        torch.empty(3, device=META).copy_(torch.ones(3))
    assert watch.found == ["aten._to_copy.default", "aten.copy_.default"]
