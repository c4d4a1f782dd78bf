"""Sequences of flowing digits: their recipes, and batches of frames rendered from them.

A recipe says which digits a sequence shows, where each starts, and how fast each moves. What a start and a velocity
are, and how frames are made of them, is the matter of each flow (`translating`, `rotating`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

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


Render = Callable[[Tensor, Recipes, int, int], Tensor]  # of the pool, recipes, T and the side; (N, T, 1, side, side)


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
