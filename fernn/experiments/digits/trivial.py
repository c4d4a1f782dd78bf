"""Flowing MNIST: forecasts that need no training, and their errors, which those of a model are held against."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from fernn.arrays import read_arrays, write_arrays
from fernn.datasets.sequences import Recipes
from fernn.datasets.sequences import Motion

BATCH = 64  # sequences at a time


@dataclass(frozen=True)
class TrivialInputs:
    """What the errors of trivial forecasts depend on.

    Attributes:
        motion: how digits move.
        frame: side of a frame in pixels.
        seen: frames shown.
        predicted: frames predicted.
        velocities: flow whose generators make a grid, at each of which all digits move; None: each at its own velocity.
    """

    motion: Motion
    frame: int
    seen: int
    predicted: int
    velocities: str | None


def make_trivial(inputs: TrivialInputs, files: dict[str, Path], output: Path, say: Callable[[str], None]) -> None:
    """Write the errors of the recipes in the file "sequences", of the pools in the file "digits".

    An array for each forecast, by its name: (V, predicted) float64, the mean squared error over sequences and pixels at
    each velocity of the grid (V = 1 without one) and each predicted step.
    """
    pool = read_arrays(files["digits"])[0]["test"]
    recipes = Recipes.read(files["sequences"])
    grid = inputs.motion.grid(inputs.velocities) if inputs.velocities else []
    found = [_errors(inputs, pool, each) for each in [recipes.moving_at(v) for v, _ in grid] or [recipes]]
    write_arrays(output, {name: torch.stack([errors[name] for errors in found]) for name in found[0]}, {})


def _errors(inputs: TrivialInputs, pool: Tensor, recipes: Recipes) -> dict[str, Tensor]:
    total: dict[str, Tensor] = {}
    for first in range(0, len(recipes), BATCH):
        part = recipes[first : first + BATCH]
        frames = inputs.motion.render(pool, part, inputs.seen + inputs.predicted, inputs.frame)
        seen, truth = frames[:, : inputs.seen], frames[:, inputs.seen :]
        forecasts = {
            "mean brightness": seen.mean((1, 2, 3, 4), keepdim=True),
            "last frame": seen[:, -1:],
            "true velocity": _moved_on(inputs, pool, part),
        }
        for name, forecast in forecasts.items():
            error = (forecast - truth).square().mean((2, 3, 4), dtype=torch.float64).sum(0)
            total[name] = total.get(name, 0) + error
    return {name: errors / len(recipes) for name, errors in total.items()}


def _moved_on(inputs: TrivialInputs, pool: Tensor, recipes: Recipes) -> Tensor:
    """Each digit's own picture in the last seen frame, moved on at its velocity: (N, predicted, 1, side, side)."""
    last = recipes.start + (inputs.seen - 1) * recipes.velocity
    alone = Recipes(*(each.flatten(0, 1).unsqueeze(1) for each in (recipes.digit, last, recipes.velocity)))
    pictures = 255 * inputs.motion.render(pool, alone, 1, inputs.frame)[:, 0, 0]
    # the pictures are a pool of their own, of which every one starts where its first move has brought it
    own = torch.arange(len(pictures)).view_as(recipes.digit)
    onwards = Recipes(own, recipes.velocity, recipes.velocity)
    return inputs.motion.render(pictures, onwards, inputs.predicted, inputs.frame)
