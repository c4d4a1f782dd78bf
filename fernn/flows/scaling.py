"""Scaling about the centre of the frame: zooms by a fixed factor per frame, V_k^S.

A generator is nu, the logarithm of the zoom per frame; positive ones enlarge. psi_t(nu) zooms an image by e^(t * nu):
(psi_t(nu) . f)(p) = f(c + e^(-t * nu) (p - c)) with c the centre, read bilinearly with zeros outside.

The recurrence is equivariant to zooms as far as its convolutions are. Those of one pixel are, up to interpolation;
wider ones see larger structures in a larger image and are not. Measured with `ReferenceCell(Scaling(2), ...)`, random
weights and smooth random images of 20x20 pixels, as |h'_t(nu) - psi_{t-1}(nu_hat).h_t(nu - nu_hat)| relative to the
second term, the largest of all nu_hat and of 60 cells:

    frames t      2     3     4
    1x1 pixels  0.09  0.12  0.10
    3x3 pixels  0.18  0.35  0.52
"""

import math
from dataclasses import dataclass
from functools import cached_property

from torch import Tensor

from fernn.errors import FernnError
from fernn.flows.base import Flow
from fernn.flows.warp import warp


@dataclass(frozen=True)
class Scaling(Flow):
    """V_k^S: zooms by factor^-k ... factor^k per frame.

    Args:
        k: largest power of `factor`, at least 0.
        factor: the smallest zoom per frame, more than 1.

    Raises:
        FernnError: if `k` is not a whole number of at least 0, or `factor` is not a number of more than 1.
    """

    factor: float = 1.1
    letter = "S"
    exact = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (isinstance(self.factor, int | float) and 1 < self.factor < math.inf):
            raise FernnError(f"Scaling(factor={self.factor!r}): expected a zoom per frame, a number of more than 1.")

    @cached_property
    def generators(self) -> tuple[float, ...]:
        """The logarithms of the zooms of V per frame, rising."""
        return tuple(step * math.log(self.factor) for step in range(-self.k, self.k + 1))

    def act(self, maps: Tensor, nu: float, time: int) -> Tensor:
        """psi_t(nu).f for maps f, (B, C, H, W); stored with the channels last."""
        back = math.exp(-time * nu)
        return warp(maps, ((back, 0.0), (0.0, back))) if time * nu else maps
