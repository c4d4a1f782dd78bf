"""How well a predictor predicts: error by step, over sequences that are rendered batch by batch."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class StepErrors:
    """Mean squared error over pixels at each predicted step: its mean and standard deviation over the sequences."""

    mean: list[float]
    std: list[float]
    sequences: int

    @property
    def mse(self) -> float:
        """The mean over all steps: the paper's test MSE."""
        return sum(self.mean) / len(self.mean)


def step_errors(
    model: nn.Module, frames: Callable[[int, int], Tensor], sequences: int, batch: int, seen: int
) -> StepErrors:
    """Measure a model's errors; call it under `torch.no_grad` and the autocast of the wanted precision.

    Args:
        model: a predictor, in evaluation mode.
        frames: (B, T, C, H, W) float32 of sequences first ... first + count - 1, as frames(first, count).
        sequences: number of them.
        batch: how many at a time.
        seen: frames that the model is shown; it predicts the T - seen others.
    """
    total = square = torch.zeros(())
    for first in range(0, sequences, batch):
        clip = frames(first, min(batch, sequences - first))
        target = clip[:, seen:]
        predicted = model(clip[:, :seen], target.shape[1]).float()
        error = (predicted - target).square().mean((2, 3, 4), dtype=torch.float64)  # (B, steps)
        total = total.to(clip.device) + error.sum(0)
        square = square.to(clip.device) + error.square().sum(0)
    mean = total / sequences
    std = (square / sequences - mean.square()).clamp(min=0).sqrt()
    return StepErrors(mean.tolist(), std.tolist(), sequences)
