"""Translating MNIST: digits that move on a torus by whole pixels (paper, Section 4.1; released `MovingMNISTDataset`).

A sequence is a recipe: which digits, where each starts, how fast each moves. Frames are rendered from recipes in
batches, on the device that needs them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from fernn.datasets.counter import below, words
from fernn.datasets.storage import read_arrays, write_arrays
from fernn.errors import FernnError
from fernn.flows.translation import Translation


@dataclass(frozen=True)
class Recipes:
    """Recipes of N sequences with D digits each.

    Attributes:
        digit: (N, D) int64, index into a pool of digits.
        start: (N, D, 2) int64, the shift (x, y) of each digit in the first frame, in pixels.
        velocity: (N, D, 2) int64, (vx, vy) in pixels per frame.
    """

    digit: Tensor
    start: Tensor
    velocity: Tensor

    def __len__(self) -> int:
        return self.digit.shape[0]

    def __getitem__(self, part: slice) -> "Recipes":
        return Recipes(self.digit[part], self.start[part], self.velocity[part])

    def to(self, device: torch.device | str) -> "Recipes":
        """The same recipes on a device."""
        return Recipes(self.digit.to(device), self.start.to(device), self.velocity.to(device))

    def moving_at(self, velocity: tuple[int, int]) -> "Recipes":
        """The same digits and starts, all moving at one velocity (vx, vy)."""
        fixed = torch.tensor(velocity, device=self.velocity.device).expand_as(self.velocity)
        return Recipes(self.digit, self.start, fixed)


def write_recipes(path: str | Path, recipes: Recipes, about: dict[str, Any]) -> None:
    """Write recipes and the record of where they come from."""
    arrays = {"digit": recipes.digit, "start": recipes.start, "velocity": recipes.velocity}
    write_arrays(path, arrays, about)


def read_recipes(path: str | Path) -> Recipes:
    """The recipes that `write_recipes` wrote.

    Raises:
        FernnError: if the file is missing or of another kind.
    """
    arrays, _ = read_arrays(path)
    if set(arrays) != {"digit", "start", "velocity"}:
        raise FernnError(f"{path}: holds {', '.join(sorted(arrays))}; recipes are digit, start, velocity.")
    return Recipes(**arrays)


@dataclass(frozen=True)
class RecipeBook:
    """The distribution that recipes are drawn from.

    Attributes:
        seed: of the data set.
        stream: name of the part, such as "train"; parts are independent.
        pool: number of digits to choose from.
        digits: digits in a sequence.
        frame: side of the torus in pixels.
        flow: velocities are uniform on its generators.
    """

    seed: int
    stream: str
    pool: int
    digits: int
    frame: int
    flow: Translation

    def draw(self, count: int, first: int = 0, epoch: int = 0) -> Recipes:
        """Recipes `first` ... `first + count - 1` of an epoch; the same whichever range they are drawn in."""
        drawn = words(self.seed, self.stream, epoch, first, count, 4 * self.digits).reshape(count, self.digits, 4)
        generators = np.array(self.flow.generators)
        return Recipes(
            digit=torch.from_numpy(below(drawn[..., 0], self.pool)),
            start=torch.from_numpy(np.stack([below(drawn[..., 1], self.frame), below(drawn[..., 2], self.frame)], -1)),
            velocity=torch.from_numpy(generators[below(drawn[..., 3], len(generators))]),
        )


def render(pool: Tensor, recipes: Recipes, frames: int, side: int) -> Tensor:
    """Render sequences, all in one gather.

    Args:
        pool: (P, h, w) uint8, the digits, 0 to 255, on the device of the recipes.
        recipes: N sequences.
        frames: T.
        side: height and width of a frame in pixels, at least h and w; a smaller digit is centred.

    Returns:
        (N, T, 1, side, side) float32 in [0, 1]: digits are added and clamped, as in the released code.
    """
    digits = _centred(pool[recipes.digit], side)
    sequences, each = recipes.digit.shape
    wide = 2 * side
    # a shift of a digit on the torus is a window of the digit tiled 2x2, and as long as whole rows are taken it is one
    # contiguous piece: one copy for each frame, and no index for each pixel
    tiled = F.pad(digits.repeat(1, 1, 2, 2).flatten(), (0, side))
    time = torch.arange(frames, device=pool.device).view(1, 1, -1, 1)
    corner = -(recipes.start.unsqueeze(2) + recipes.velocity.unsqueeze(2) * time) % side  # (N, D, T, 2) as (x, y)
    tile = torch.arange(sequences * each, device=pool.device).view(sequences, each, 1) * wide**2
    first = tile + corner[..., 1] * wide + corner[..., 0]
    pieces = tiled.unfold(0, side * wide, 1).index_select(0, first.flatten())
    moved = pieces.view(sequences, each, frames, side, wide)[..., :side]
    frame = moved[:, 0].to(torch.float32).div_(255)
    for other in moved.unbind(1)[1:]:
        frame += other.to(torch.float32).div_(255)
    return frame.clamp_(max=1).unsqueeze(2)


def _centred(digits: Tensor, side: int) -> Tensor:
    height, width = digits.shape[-2:]
    top, left = (side - height) // 2, (side - width) // 2
    return F.pad(digits, (left, side - width - left, top, side - height - top))


class RenderedSequences:
    """Sequences of one part of a data set, rendered batch by batch on the device that holds the digits.

    Args:
        pool: (P, h, w) uint8 digits, on that device.
        frames: T, frames of a sequence.
        side: height and width of a frame in pixels.
    """

    def __init__(self, pool: Tensor, frames: int, side: int) -> None:
        self.pool, self.frames, self.side = pool, frames, side

    def of(self, recipes: Recipes) -> Callable[[int, int], Tensor]:
        """Fixed recipes: a function of (first, count) that gives frames (count, T, 1, side, side)."""
        recipes = recipes.to(self.pool.device)
        return lambda first, count: render(self.pool, recipes[first : first + count], self.frames, self.side)

    def drawn(self, book: RecipeBook, sequences: int) -> Callable[[int, int, int], Tensor]:
        """Recipes drawn afresh at each epoch: a function of (epoch, first, count) that gives frames.

        An epoch's recipes reach the device in one piece, so no batch waits for the host.
        """
        held: dict[int, Recipes] = {}

        def frames(epoch: int, first: int, count: int) -> Tensor:
            if epoch not in held:
                held.clear()
                held[epoch] = book.draw(sequences, epoch=epoch).to(self.pool.device)
            return render(self.pool, held[epoch][first : first + count], self.frames, self.side)

        return frames
