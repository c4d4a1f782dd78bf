"""How well a predictor predicts: error by step, over sequences that are rendered batch by batch."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

LARGEST = torch.finfo(torch.float32).max  # an error that float32 cannot hold counts as this


@dataclass(frozen=True)
class StepErrors:
    """Mean squared error over pixels at each predicted step: its mean and standard deviation over the sequences.

    `central` is the mean over all steps of the error over a square in the middle of the frame, where one was asked for.
    A forecast that feeds on itself can grow without bound: the error of one that float32 cannot hold is `LARGEST`.
    """

    mean: list[float]
    std: list[float]
    sequences: int
    central: float | None = None

    @property
    def mse(self) -> float:
        """The mean over all steps: the paper's test MSE."""
        return sum(self.mean) / len(self.mean)

    @property
    def lost(self) -> int | None:
        """The first step, from 1 on, at which a forecast has left what float32 holds; None if all hold."""
        bound = LARGEST / (2 * self.sequences)  # half, for rounding
        return next((step for step, error in enumerate(self.mean, 1) if error > bound), None)


def step_errors(
    model: nn.Module,
    frames: Callable[[int, int], Tensor],
    sequences: int,
    batch: int,
    seen: int,
    central: int | None = None,
) -> StepErrors:
    """Measure a model's errors; call it under `torch.no_grad` and the autocast of the wanted precision.

    Args:
        model: a predictor, in evaluation mode.
        frames: (B, T, C, H, W) float32 of sequences first ... first + count - 1, as frames(first, count).
        sequences: number of them.
        batch: how many at a time.
        seen: frames that the model is shown; it predicts the T - seen others.
        central: pixels along the sides of a central square, to be measured as well; H and W less an even number.
    """
    total = square = inner = torch.zeros(())
    for first in range(0, sequences, batch):
        clip = frames(first, min(batch, sequences - first))
        target = clip[:, seen:]
        predicted = model(clip[:, :seen], target.shape[1]).float()
        squares = (predicted - target).square()
        error = held(squares.mean((2, 3, 4), dtype=torch.float64))  # (B, steps)
        total = total.to(clip.device) + error.sum(0)
        square = square.to(clip.device) + error.square().sum(0)
        if central is not None:
            rim = (clip.shape[-1] - central) // 2
            middle = squares[..., rim : rim + central, rim : rim + central]
            inner = inner.to(clip.device) + held(middle.mean((1, 2, 3, 4), dtype=torch.float64)).sum()
    mean = total / sequences
    std = (square / sequences - mean.square()).clamp(min=0).sqrt()
    within = None if central is None else (inner / sequences).item()
    return StepErrors(mean.tolist(), std.tolist(), sequences, within)


def held(values: Tensor) -> Tensor:
    """Values of any shape, where those that float32 cannot hold, and those that are no numbers, are its largest."""
    return values.nan_to_num(nan=LARGEST, posinf=LARGEST, neginf=-LARGEST)
