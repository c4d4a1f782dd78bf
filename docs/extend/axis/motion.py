"""The motion: each digit by a velocity of V_k^X, over a torus."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from fernn.datasets.sequences import Recipes
from fernn.datasets.translating import TranslationSampler, render
from fernn.experiments.axis.flow import Horizontal
from fernn.experiments.digits.motion import Grid


@dataclass(frozen=True)
class Sliding:
    """How digits move; see `fernn.experiments.digits.motion.Motion`. `frame` is the side of the torus in pixels."""

    centred: ClassVar[bool] = False
    frame: int

    def sampler(self, flow: str, seed: int, stream: str, pool: int, digits: int) -> TranslationSampler:
        """The distribution of recipes."""
        return TranslationSampler(seed, stream, pool, digits, self.frame, Horizontal.parse(flow))

    def render(self, pool: Tensor, recipes: Recipes, frames: int, side: int) -> Tensor:
        """Frames of recipes."""
        return render(pool, recipes, frames, side)

    def grid(self, flow: str) -> Grid:
        """The velocities, in pixels per frame."""
        return [(velocity, {"vx": velocity[0]}) for velocity in Horizontal.parse(flow).generators]
