"""How well a predictor predicts: the error by predicted step, over sequences that are rendered batch by batch."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from fernn.datasets.sequences import mean_brightness
from fernn.evaluation import Measures

LARGEST = torch.finfo(torch.float32).max  # an error beyond float32 counts as this


def measure_prediction(
    model: nn.Module,
    frames: Callable[[int, int], Tensor],
    sequences: int,
    batch: int,
    seen: int,
    central: int | None = None,
) -> Measures:
    """Measure a model's mean squared errors over pixels; call it under `torch.no_grad` and the wanted autocast.

    A prediction that feeds on itself can grow without bound: an error that float32 cannot hold is `LARGEST`.

    Args:
        model: a predictor, in evaluation mode.
        frames: (B, T, C, H, W) float32 of sequences first ... first + count - 1, as frames(first, count).
        sequences: number of them.
        batch: how many at a time.
        seen: frames that the model is shown; it predicts the T - seen others.
        central: pixels along the sides of a central square, to be measured as well; H and W less an even number.

    Returns:
        By predicted step, from 1: `mse` and `mse_std`, mean and standard deviation over the sequences; `mse_median`,
        the median; `lost`, the share of sequences with a larger error than the forecast of mean brightness. Over all
        steps (index ""): `mse`, the paper's test MSE; `mse_median` and `lost` by each sequence's mean over the steps;
        `mse_central`, over the central square. `sequences`, their number.
    """
    errors, baseline, inner = [], [], []
    for first in range(0, sequences, batch):
        clip = frames(first, min(batch, sequences - first))
        shown, target = clip[:, :seen], clip[:, seen:]
        squares = (model(shown, target.shape[1]).float() - target).square()
        errors.append(held(squares.mean((2, 3, 4), dtype=torch.float64)))  # (B, steps)
        baseline.append((mean_brightness(shown) - target).square().mean((2, 3, 4), dtype=torch.float64))
        if central is not None:
            rim = (clip.shape[-1] - central) // 2
            middle = squares[..., rim : rim + central, rim : rim + central]
            inner.append(held(middle.mean((1, 2, 3, 4), dtype=torch.float64)).sum())
    mean = sum((each.sum(0) for each in errors), torch.zeros(())) / sequences
    square = sum((each.square().sum(0) for each in errors), torch.zeros(())) / sequences
    std = (square - mean.square()).clamp(min=0).sqrt()
    by_step = mean.tolist()
    # medians on the CPU: sorting on a GPU may not be deterministic
    error, constant = torch.cat(errors).cpu(), torch.cat(baseline).cpu()
    found: Measures = {("sequences", ""): sequences, ("mse", ""): sum(by_step) / len(by_step)}
    found |= {
        ("mse_median", ""): error.mean(1).quantile(0.5).item(),
        ("lost", ""): (error.mean(1) > constant.mean(1)).double().mean().item(),
    }
    if central is not None:
        found["mse_central", ""] = (sum(inner, torch.zeros(())) / sequences).item()
    columns = {
        "mse": by_step,
        "mse_std": std.tolist(),
        "mse_median": error.quantile(0.5, dim=0).tolist(),
        "lost": (error > constant).double().mean(0).tolist(),
    }
    found |= {(name, str(step)): value for name, column in columns.items() for step, value in enumerate(column, 1)}
    return found


def overflow_step(measured: Measures) -> int | None:
    """The first predicted step, from 1, with a prediction beyond float32; None if float32 holds all of them."""
    bound = LARGEST / (2 * measured["sequences", ""])  # half, for rounding
    steps = [int(index) for name, index in measured if name == "mse" and index]
    return next((step for step in steps if measured["mse", str(step)] > bound), None)


def held(values: Tensor) -> Tensor:
    """Values of any shape; those that float32 cannot hold, and those that are no numbers, become its largest."""
    return values.nan_to_num(nan=LARGEST, posinf=LARGEST, neginf=-LARGEST)
