"""Translating MNIST: digits that move on a torus by whole pixels (paper, Section 5.1; released `MovingMNISTDataset`).

Starts are shifts (x, y) in pixels, velocities (vx, vy) in pixels per frame, x to the right and y downwards.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from fernn.datasets.counter import below, words
from fernn.datasets.sequences import Recipes
from fernn.errors import FernnError
from fernn.flows.translation import Translation


@dataclass(frozen=True)
class TranslationSampler:
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
        pool: (P, h, w) uint8 or float32, the digits, 0 to 255, on the device of the recipes.
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
    if side < max(height, width):
        raise FernnError(
            f"frames of {side}x{side} pixels cannot hold digits of {height}x{width}: let frames be larger."
        )
    top, left = (side - height) // 2, (side - width) // 2
    return F.pad(digits, (left, side - width - left, top, side - height - top))


@dataclass(frozen=True)
class Translating:
    """How digits move: each by a velocity of V_k^T. A `Motion`.

    Attributes:
        frame: side of the torus in pixels.
    """

    centred: ClassVar[bool] = False
    frame: int

    render = staticmethod(render)  # frames of recipes

    def sampler(self, flow: str, seed: int, stream: str, pool: int, digits: int) -> TranslationSampler:
        """The distribution of recipes."""
        return TranslationSampler(seed, stream, pool, digits, self.frame, Translation.parse(flow))

    def grid(self, flow: str) -> tuple[tuple[int, int], ...]:
        """The velocities of V_k^T, in pixels per frame."""
        return Translation.parse(flow).generators
