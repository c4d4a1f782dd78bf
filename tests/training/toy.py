"""A small problem for the training loop, and ways to disturb a training."""

import io
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from torch import Tensor, nn

from fernn.params.base import Training
from fernn.training.checkpoint import Checkpoint
from fernn.training.distributed import SINGLE_PROCESS, World
from fernn.training.loop import Fit, Task, TrainingContext, fit
from fernn.training.progress import TrainingProgress

EPOCHS, BATCHES = 3, 4
VALIDATION = 99  # in place of an epoch


class Toy(Task):
    """Regression of noise on noise; a batch depends on (epoch, number) alone."""

    def __init__(self, validation_losses: Sequence[float] | None = None, wanted: int = -1) -> None:
        """With validation losses of its own choice; the largest is kept where +1 is wanted."""
        super().__init__(lambda *_: None, lambda *_: None, 3 * BATCHES, 3, 3)
        self.scripted = list(validation_losses) if validation_losses else None
        self.wanted = wanted
        self.asked: list[tuple[int, int]] = []

    def batch(self, epoch: int, number: int, world: World = SINGLE_PROCESS) -> tuple[Tensor, Tensor]:
        self.asked.append((epoch, number))
        generator = torch.Generator().manual_seed(1000 * epoch + number)
        return torch.randn(3, 5, 6, 6, generator=generator), torch.randn(3, 1, 6, 6, generator=generator)

    def loss(self, model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
        return nn.functional.mse_loss(model(batch[0]).float(), batch[1])

    def validate(self, model: nn.Module, world: World = SINGLE_PROCESS) -> dict[str, float]:
        loss = self.loss(model, self.batch(VALIDATION, 0)).item()
        return {"validation_loss": self.scripted.pop(0) if self.scripted else loss}

    def score(self, measures: dict[str, float]) -> float:
        return -self.wanted * measures["validation_loss"]

    def trained(self) -> int:
        """Batches that were asked for to train on."""
        return sum(epoch != VALIDATION for epoch, _ in self.asked)


def toy_model() -> nn.Sequential:
    """Kernels of several sizes, and dropout, which needs the state of the random generator."""
    torch.manual_seed(7)
    layers = nn.Conv2d(5, 16, 3, padding=1), nn.ReLU(), nn.Dropout2d(0.5), nn.Conv2d(16, 1, 5, padding=2)
    return nn.Sequential(*layers)


class Strike(TrainingProgress):
    """Lets something happen after a given number of batches of this process."""

    def __init__(self, after: int, happen, pace_file: Path | None = None) -> None:
        super().__init__("toy", Console(file=io.StringIO()), pace_file, "i")
        self.left, self.happen = after, happen

    def batch(self, state: Checkpoint) -> None:
        super().batch(state)
        self.left -= 1
        if self.left == 0:
            self.happen()


class Killed(Exception):  # noqa: N818 (an event, not an error)
    """Stands for SIGKILL: whatever was not on the disk is lost."""


def kill() -> None:
    raise Killed


def send(signum: int):
    return lambda: os.kill(os.getpid(), signum)


def section(**changes: Any) -> Training:
    """A `training` section of params.yaml for the toy."""
    how = {"epochs": EPOCHS, "batch": 3, "clip_norm": 1.0, "precision": "float32", "validate_every": None}
    return Training(**how | {"winograd": False, "threads": 0} | changes)


def context(checkpoint: Path, progress: TrainingProgress, **changes: Any) -> TrainingContext:
    """Of a training on the CPU."""
    return TrainingContext(torch.device("cpu"), checkpoint, **{"identity": "i", "progress": progress, **changes})


def train(
    checkpoint: Path,
    after: int = 0,
    happen=kill,
    task: Toy | None = None,
    model: nn.Module | None = None,
    learning_rate: float = 0.01,
    may_diverge: bool = False,
    save_every: float = math.inf,
    identity: str = "i",
    **changes,
) -> Fit:
    """Train the toy, from its checkpoint if there is one, in a process whose random state is another each time."""
    model = model or toy_model()
    print(f"torch.manual_seed({torch.seed()})")
    if not checkpoint.exists():
        torch.manual_seed(7)
    with Strike(after, happen) as progress:
        here = context(checkpoint, progress, may_diverge=may_diverge, save_every=save_every, identity=identity)
        return fit(model, task or Toy(), section(**changes), learning_rate, here)


def same(one: Fit, two: Fit) -> bool:
    """Equal bit for bit."""
    return (
        one.history == two.history
        and one.best_epoch == two.best_epoch
        and one.weights.keys() == two.weights.keys()
        and all(torch.equal(one.weights[name], two.weights[name]) for name in one.weights)
    )
