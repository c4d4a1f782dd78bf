"""Flowing MNIST: the files of its digits, of its fixed sequences, and of the errors of baselines on these.

Sequences for training have no file: they are drawn while training.
"""

from pathlib import Path

import torch
from torch import Tensor

from fernn.arrays import read_arrays, write_arrays
from fernn.data.mnist import read_mnist
from fernn.datasets.digits import digit_pools
from fernn.datasets.sequences import Motion, Recipes, mean_brightness
from fernn.errors import FernnError

Files = dict[str, Path]
BATCH = 64  # sequences at a time


def make_digits(files: Files, output: Path, *, digit: int, held_out: float, seed: int) -> None:
    """Write the train / validation / test split of the digits in the four files of MNIST; `digit`: pixels of a side.

    A share `held_out` of MNIST's training digits is for validation. FernnError if a part would have no digit.
    """
    pools = digit_pools(read_mnist(files), digit, held_out, seed)
    if empty := [name for name, digits in pools.items() if not len(digits)]:
        found = ", ".join(f"{len(digits)} for {name}" for name, digits in pools.items())
        raise FernnError(
            f"data.held_out = {held_out:g} leaves no digit for {' and '.join(empty)} ({found}); a part needs one at "
            "least. Change data.held_out in params.yaml, or the digits in mnist.folder."
        )
    write_arrays(output, pools, {}, packed=tuple(pools))


def make_sequences(
    files: Files,
    output: Path,
    *,
    motion: Motion,
    stream: str,
    pool: str,
    flow: str,
    sequences: int,
    digits: int,
    seed: int,
) -> None:
    """Write the recipes of a fixed set of sequences of the pool "validation" or "test" in the file "digits".

    Velocities are uniform on the flow. Sets of different `stream`, a name in the random generator, are independent.
    """
    pools, _ = read_arrays(files["digits"])
    motion.sampler(flow, seed, stream, len(pools[pool]), digits).draw(sequences).write(output)


def make_trivial(
    files: Files,
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
