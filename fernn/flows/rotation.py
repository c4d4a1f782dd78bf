"""Rotation about the centre of the frame: the flows V_k^R of the paper.

A generator is nu in degrees per frame, positive counter-clockwise as seen. psi_t(nu) turns an image by t * nu:
(psi_t(nu) . f)(p) = f(c + R (p - c)) with R = [[cos a, -sin a], [sin a, cos a]] on (x right, y down), a = t * nu and c
the centre, read bilinearly with zeros outside (paper, Appendix; released `act_on_hidden`).
"""

import math
from dataclasses import dataclass
from functools import cached_property

from torch import Tensor

from fernn.errors import FernnError
from fernn.flows.base import Flow
from fernn.flows.warp import warp


@dataclass(frozen=True)
class Rotation(Flow):
    """V_k^R: rotations by -k ... k times `degrees` per frame (paper, Section 5.1; k = 0 is the G-RNN).

    Args:
        k: largest multiple of `degrees`, at least 0.
        degrees: the smallest turn per frame.

    Raises:
        FernnError: if `k` is not a whole number of at least 0, or `degrees` is not a positive number.
    """

    degrees: float = 10.0
    letter = "R"

    def __post_init__(self) -> None:
        super().__post_init__()
        try:
            degrees = float(self.degrees)
        except (TypeError, ValueError):
            degrees = math.nan
        if not (math.isfinite(degrees) and degrees > 0):
            raise FernnError(f"Rotation(degrees={self.degrees!r}): expected degrees per frame, a positive number.")
        object.__setattr__(self, "degrees", degrees)

    @property
    def exact(self) -> bool:
        """Whether all turns are quarter turns."""
        return self.degrees % 90 == 0

    @cached_property
    def generators(self) -> tuple[float, ...]:
        """The angular velocities of V in degrees per frame, rising."""
        return tuple(step * self.degrees for step in range(-self.k, self.k + 1))

    def act(self, maps: Tensor, nu: float, time: int) -> Tensor:
        """psi_t(nu).f for maps f, (B, C, H, W); see `rotate`."""
        return rotate(maps, time * nu)

    def turns(self, order: int) -> tuple[int, ...]:
        """Each generator in steps of the group C_order: how far it rolls the orientation axis in one frame.

        Raises:
            FernnError: if a generator is no whole number of the group's steps.
        """
        steps = [nu * order / 360 for nu in self.generators]
        for nu, step in sorted(zip(map(abs, self.generators), steps, strict=True)):
            if abs(step - round(step)) > 1e-6:
                raise FernnError(
                    f"{self!r} turns by {nu:g} degrees per frame, but the group C_{order} has steps of "
                    f"{360 / order:g} degrees: choose degrees a multiple of that, or another group order."
                )
        return tuple(map(round, steps))


def rotate(maps: Tensor, degrees: float) -> Tensor:
    """Turn maps about their centre, counter-clockwise as seen.

    Args:
        maps: (B, C, H, W).
        degrees: multiples of 90 on square maps are exact permutations.

    Returns:
        (B, C, H, W), stored with the channels last; bilinear, zeros outside. Differentiable.
    """
    degrees = degrees % 360
    if degrees == 0:
        return maps
    cos, sin = _cos_sin(degrees)
    return warp(maps, ((cos, -sin), (sin, cos)))


def _cos_sin(degrees: float) -> tuple[float, float]:
    """Exact at quarter turns."""
    if degrees % 90 == 0:
        return ((1.0, 0.0), (0.0, 1.0), (-1.0, 0.0), (0.0, -1.0))[int(degrees // 90) % 4]
    return math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
