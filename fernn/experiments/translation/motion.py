"""Experiment A: digits move over a torus, whole pixels at each frame."""

from dataclasses import dataclass
from typing import ClassVar

from fernn.datasets.translating import TranslationSampler, render
from fernn.experiments.digits.motion import Grid
from fernn.flows.translation import Translation


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

    def grid(self, flow: str) -> Grid:
        """The velocities of V_k^T, in pixels per frame."""
        return [((vx, vy), {"vx": vx, "vy": vy}) for vx, vy in Translation.parse(flow).generators]
