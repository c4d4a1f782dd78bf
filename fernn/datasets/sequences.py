"""Sequences of flowing digits: their recipes, and batches of frames rendered from them.

A recipe says which digits a sequence shows, where each starts, and how fast each moves. What a start and a velocity
are, and how frames are made of them, is the matter of each flow (`translating`, `rotating`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar, Protocol

import torch
from torch import Tensor

from fernn.arrays import Aligned

Velocity = tuple[int, int] | float  # (vx, vy) in pixels per frame, or degrees per frame


@dataclass(frozen=True)
class Recipes(Aligned):
    """Recipes of N sequences with D digits each.

    Attributes:
        digit: (N, D) int64, index into a pool of digits.
        start: where each digit is in the first frame: (N, D, 2) int64, the shift (x, y) in pixels; or (N, D) float64,
            the angle in degrees.
        velocity: of each digit: (N, D, 2) int64, (vx, vy) in pixels per frame; or (N, D) float64, degrees per frame.
    """

    digit: Tensor
    start: Tensor
    velocity: Tensor

    def moving_at(self, velocity: Velocity) -> "Recipes":
        """The same digits and starts, all moving at one velocity."""
        fixed = torch.tensor(velocity, dtype=self.velocity.dtype, device=self.velocity.device)
        return Recipes(self.digit, self.start, fixed.expand_as(self.velocity))


class Sampler(Protocol):
    """A distribution that recipes are drawn from."""

    def draw(self, count: int, first: int = 0, epoch: int = 0) -> Recipes:
        """Recipes `first` ... `first + count - 1` of an epoch; the same whichever range they are drawn in."""
        ...


class Motion(Protocol):
    """How digits move: what recipes are drawn from, and how frames are made of them.

    A frozen dataclass of plain values. It is an input of data sets and runs, so its module belongs to their code.

    Attributes:
        centred: whether digits stay in the middle of the frame, so that the rim of a larger one is mostly black.
    """

    centred: ClassVar[bool]

    def sampler(self, flow: str, seed: int, stream: str, pool: int, digits: int) -> Sampler:
        """The distribution of recipes.

        Args:
            flow: velocities are uniform on its generators.
            seed: of the data set.
            stream: name in the random generator; sets of different names are independent.
            pool: number of digits to choose from.
            digits: digits in a sequence.
        """

    def render(self, pool: Tensor, recipes: Recipes, frames: int, side: int) -> Tensor:
        """Frames (N, T, 1, side, side) of N recipes.

        Args:
            pool: (P, h, w) uint8 or float32, the digits, 0 to 255.
            recipes: at frame t, a digit has moved by start + t * velocity.
            frames: T.
            side: of a frame in pixels.
        """

    def grid(self, flow: str) -> Sequence[Velocity]:
        """The velocities of a flow's generators, the one that is shown in figures last."""


Render = Callable[[Tensor, Recipes, int, int], Tensor]  # see `Motion.render`


class RenderedSequences:
    """Sequences of one part of a data set, rendered batch by batch on the device that holds the digits.

    Args:
        render: how, by the flow.
        pool: (P, h, w) uint8 digits, on that device.
        frames: T, frames of a sequence.
        side: height and width of a frame in pixels.
    """

    def __init__(self, render: Render, pool: Tensor, frames: int, side: int) -> None:
        self.render, self.pool, self.frames, self.side = render, pool, frames, side

    def of(self, recipes: Recipes) -> Callable[[int, int], Tensor]:
        """Fixed recipes: a function of (first, count) that gives frames (count, T, 1, side, side)."""
        recipes = recipes.to(self.pool.device)
        return lambda first, count: self.render(self.pool, recipes[first : first + count], self.frames, self.side)

    def drawn(self, sampler: Sampler, sequences: int) -> Callable[[int, int, int], Tensor]:
        """Recipes drawn afresh at each epoch: a function of (epoch, first, count) that gives frames.

        An epoch's recipes reach the device in one piece, so no batch waits for the host.
        """

        @lru_cache(maxsize=1)
        def recipes(epoch: int) -> Recipes:
            return sampler.draw(sequences, epoch=epoch).to(self.pool.device)

        return lambda epoch, first, count: self.of(recipes(epoch))(first, count)


def mean_brightness(seen: Tensor) -> Tensor:
    """The baseline of a constant: each sequence's mean over its seen frames (N, T, C, H, W), as (N, 1, 1, 1, 1)."""
    return seen.mean((1, 2, 3, 4), keepdim=True)
