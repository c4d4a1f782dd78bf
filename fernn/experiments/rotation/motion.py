"""Experiment B: digits turn about the centre of the frame."""

from dataclasses import dataclass
from typing import ClassVar

from fernn.datasets.rotating import RotationSampler, render
from fernn.experiments.digits.motion import Grid
from fernn.flows.rotation import Rotation


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

    def grid(self, flow: str) -> Grid:
        """The angular velocities of V_k^R, in degrees per frame."""
        return [(degrees, {"degrees": degrees}) for degrees in Rotation.parse(flow, self.degrees).generators]
