"""The motion: each digit is zoomed about the frame's centre, by a generator of V_k^S."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from fernn.datasets.counter import below, unit, words
from fernn.datasets.sequences import Recipes
from fernn.flows import Scaling


@dataclass(frozen=True)
class ZoomSampler:
    """Starts are logarithms of the size, uniform between one frame's fastest zooms; velocities are generators."""

    seed: int
    stream: str
    pool: int
    digits: int
    flow: Scaling

    def draw(self, count: int, first: int = 0, epoch: int = 0) -> Recipes:
        """Recipes `first` ... `first + count - 1` of an epoch."""
        drawn = words(self.seed, self.stream, epoch, first, count, 3 * self.digits).reshape(count, self.digits, 3)
        generators = np.array(self.flow.generators)
        return Recipes(
            digit=torch.from_numpy(below(drawn[..., 0], self.pool)),
            start=torch.from_numpy((2 * unit(drawn[..., 1]) - 1) * generators[-1]),
            velocity=torch.from_numpy(generators[below(drawn[..., 2], len(generators))]),
        )


def render(pool: Tensor, recipes: Recipes, frames: int, side: int) -> Tensor:
    """Frames (N, T, 1, side, side): at frame t, a digit is enlarged by e^(start + t * velocity), read bilinearly."""
    digits = pool[recipes.digit].float().div(255).flatten(0, 1).unsqueeze(1)  # (N * D, 1, h, h)
    time = torch.arange(frames, device=pool.device)
    size = (recipes.start.unsqueeze(2) + recipes.velocity.unsqueeze(2) * time).exp().float().flatten(0, 1)
    away = (torch.arange(side, device=pool.device) - (side - 1) / 2) * 2 / digits.shape[-1]  # in halves of a digit
    pixels = torch.stack(torch.meshgrid(away, away, indexing="xy"), -1)
    grid = pixels / size.view(*size.shape, 1, 1, 1)  # (N * D, T, side, side, 2)
    zoomed = F.grid_sample(digits, grid.flatten(1, 2), align_corners=False)
    return zoomed.view(*recipes.digit.shape, frames, 1, side, side).sum(1).clamp(max=1)


@dataclass(frozen=True)
class Zooming:
    """How digits move; see `fernn.datasets.sequences.Motion`. `factor` is the smallest zoom per frame."""

    centred: ClassVar[bool] = True
    factor: float

    render = staticmethod(render)  # frames of recipes

    def sampler(self, flow: str, seed: int, stream: str, pool: int, digits: int) -> ZoomSampler:
        """The distribution of recipes."""
        return ZoomSampler(seed, stream, pool, digits, Scaling.parse(flow, self.factor))

    def grid(self, flow: str) -> tuple[float, ...]:
        """The velocities: logarithms of the zoom per frame."""
        return Scaling.parse(flow, self.factor).generators
