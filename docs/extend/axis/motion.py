"""The motion: each digit by a velocity of V_k^X, over a torus."""

from dataclasses import dataclass
from typing import ClassVar

from fernn.datasets.translating import TranslationSampler, render
from fernn.experiments.axis.flow import Horizontal


@dataclass(frozen=True)
class Sliding:
    """How digits move; see `fernn.datasets.sequences.Motion`. `frame` is the side of the torus in pixels."""

    centred: ClassVar[bool] = False
    frame: int

    render = staticmethod(render)  # frames of recipes

    def sampler(self, flow: str, seed: int, stream: str, pool: int, digits: int) -> TranslationSampler:
        """The distribution of recipes."""
        return TranslationSampler(seed, stream, pool, digits, self.frame, Horizontal.parse(flow))

    def grid(self, flow: str) -> tuple[tuple[int, int], ...]:
        """The velocities, in pixels per frame."""
        return Horizontal.parse(flow).generators
