"""Rotating MNIST: digits that turn about the frame's centre (paper, Section 5.1; released `RotatingMNISTDataset`).

Starts are angles in degrees, velocities degrees per frame; positive is counter-clockwise as seen.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from fernn.datasets.counter import below, unit, words
from fernn.datasets.sequences import Recipes
from fernn.flows.rotation import Rotation


@dataclass(frozen=True)
class RotationSampler:
    """The distribution that recipes are drawn from.

    Attributes:
        seed: of the data set.
        stream: name of the part, such as "train"; parts are independent.
        pool: number of digits to choose from.
        digits: digits in a sequence.
        flow: velocities are uniform on its generators; starts are uniform on the circle.
    """

    seed: int
    stream: str
    pool: int
    digits: int
    flow: Rotation

    def draw(self, count: int, first: int = 0, epoch: int = 0) -> Recipes:
        """Recipes `first` ... `first + count - 1` of an epoch; the same whichever range they are drawn in."""
        drawn = words(self.seed, self.stream, epoch, first, count, 3 * self.digits).reshape(count, self.digits, 3)
        generators = np.array(self.flow.generators, dtype=np.float64)
        return Recipes(
            digit=torch.from_numpy(below(drawn[..., 0], self.pool)),
            start=torch.from_numpy(360 * unit(drawn[..., 1])),
            velocity=torch.from_numpy(generators[below(drawn[..., 2], len(generators))]),
        )


def render(pool: Tensor, recipes: Recipes, frames: int, side: int) -> Tensor:
    """Render sequences, all in one pass.

    At the angle a, the frame at p shows the digit at c' + R (p - c), with R = [[cos a, -sin a], [sin a, cos a]] on (x
    right, y down) and c and c' the centres of frame and digit: read bilinearly, zeros outside. The released code pads
    a digit of 28 pixels to 40, turns it, and crops it to the frame, which is the same.

    Args:
        pool: (P, h, h) uint8 or float32, the digits, 0 to 255, on the device of the recipes.
        recipes: N sequences.
        frames: T.
        side: height and width of a frame in pixels. Around a smaller digit there are zeros; of a larger one the frame
            shows the middle.

    Returns:
        (N, T, 1, side, side) float32 in [0, 1]: digits are added and clamped, as in the released code.
    """
    digits = pool[recipes.digit].to(torch.float32).div_(255).flatten(0, 1).unsqueeze(1)
    size, device = digits.shape[-1], pool.device
    # as a complex number x + iy, a pixel is turned by one product; the angles of a long sequence want float64
    time = torch.arange(frames, device=device)
    angle = torch.deg2rad(recipes.start.unsqueeze(2) + recipes.velocity.unsqueeze(2) * time)  # (N, D, T)
    turn = torch.polar(torch.ones_like(angle), angle).to(torch.complex64)
    away = (torch.arange(side, dtype=torch.float32, device=device) - (side - 1) / 2) * (2 / size)  # of a digit's half
    pixel = torch.complex(away.expand(side, side), away.unsqueeze(1).expand(side, side))
    grid = torch.view_as_real(turn.view(len(digits), frames, 1, 1) * pixel)
    turned = F.grid_sample(digits, grid.flatten(1, 2), align_corners=False)
    first, *others = turned.view(*recipes.digit.shape, frames, 1, side, side).unbind(1)
    for other in others:
        first = first + other
    return first.clamp(max=1)


@dataclass(frozen=True)
class Rotating:
    """How digits move: each by an angular velocity of V_k^R; a recipe holds for frames of any size. A `Motion`.

    Attributes:
        degrees: the smallest turn per frame.
    """

    centred: ClassVar[bool] = True
    degrees: float

    render = staticmethod(render)  # frames of recipes

    def sampler(self, flow: str, seed: int, stream: str, pool: int, digits: int) -> RotationSampler:
        """The distribution of recipes."""
        return RotationSampler(seed, stream, pool, digits, Rotation.parse(flow, self.degrees))

    def grid(self, flow: str) -> tuple[float, ...]:
        """The velocities of V_k^R, in degrees per frame."""
        return Rotation.parse(flow, self.degrees).generators
