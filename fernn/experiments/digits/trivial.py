"""Flowing MNIST: the errors of baselines, which need no training: mean brightness, last frame, true velocity."""

from pathlib import Path

import torch
from torch import Tensor

from fernn.arrays import read_arrays, write_arrays
from fernn.datasets.sequences import Motion, Recipes, mean_brightness

BATCH = 64  # sequences at a time


def make_trivial(
    files: dict[str, Path],
    output: Path,
    *,
    motion: Motion,
    frame: int,
    seen: int,
    predicted: int,
    velocities: str | None,
) -> None:
    """Write the errors of the recipes in the file "sequences", of the pools in the file "digits".

    An array for each forecast, by its name: (V, predicted) float64, the mean squared error over sequences and pixels at
    each velocity of the grid (V = 1 without one) and each predicted step. The grid are the generators of the flow
    `velocities`; None: each digit moves at its own velocity. `frame`: pixels of a side.
    """
    pool = read_arrays(files["digits"])[0]["test"]
    recipes = Recipes.read(files["sequences"])
    grid = motion.grid(velocities) if velocities else []
    of = [recipes.moving_at(velocity) for velocity in grid] or [recipes]
    found = [_errors(motion, pool, each, frame, seen, predicted) for each in of]
    write_arrays(output, {name: torch.stack([errors[name] for errors in found]) for name in found[0]}, {})


def _errors(
    motion: Motion, pool: Tensor, recipes: Recipes, side: int, seen_frames: int, predicted: int
) -> dict[str, Tensor]:
    total: dict[str, Tensor] = {}
    for first in range(0, len(recipes), BATCH):
        part = recipes[first : first + BATCH]
        frames = motion.render(pool, part, seen_frames + predicted, side)
        seen, truth = frames[:, :seen_frames], frames[:, seen_frames:]
        forecasts = {
            "mean brightness": mean_brightness(seen),
            "last frame": seen[:, -1:],
            "true velocity": _moved_on(motion, pool, part, side, seen_frames, predicted),
        }
        for name, forecast in forecasts.items():
            error = (forecast - truth).square().mean((2, 3, 4), dtype=torch.float64).sum(0)
            total[name] = total.get(name, 0) + error
    return {name: errors / len(recipes) for name, errors in total.items()}


def _moved_on(motion: Motion, pool: Tensor, recipes: Recipes, side: int, seen_frames: int, predicted: int) -> Tensor:
    """Each digit's own picture in the last seen frame, moved on at its velocity: (N, predicted, 1, side, side)."""
    last = recipes.start + (seen_frames - 1) * recipes.velocity
    alone = Recipes(*(each.flatten(0, 1).unsqueeze(1) for each in (recipes.digit, last, recipes.velocity)))
    pictures = 255 * motion.render(pool, alone, 1, side)[:, 0, 0]
    # the pictures are a pool; each starts where its first move has brought it
    own = torch.arange(len(pictures)).view_as(recipes.digit)
    onwards = Recipes(own, recipes.velocity, recipes.velocity)
    return motion.render(pictures, onwards, predicted, side)
