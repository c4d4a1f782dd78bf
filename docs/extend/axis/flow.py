"""The flow: V_k^X, the velocities (v, 0) of V_k^T."""

from functools import cached_property

import torch
from torch import Tensor

from fernn.flows.names import reach
from fernn.flows.translation import Translation


class Horizontal(Translation):
    """All whole-pixel velocities (v, 0) with |v| <= k; a subset of V_k^T, so its indices are some of those."""

    @classmethod
    def parse(cls, name: str) -> "Horizontal":
        """Read a name such as "V2X"."""
        return cls(reach(name))

    @property
    def name(self) -> str:
        """In params.yaml and in file names."""
        return f"V{self.k}X"

    @cached_property
    def generators(self) -> tuple[tuple[int, int], ...]:
        """The (v, 0), by v."""
        return tuple((v, 0) for v in range(-self.k, self.k + 1))

    def __len__(self) -> int:
        return 2 * self.k + 1

    def sources(self, time: int, height: int, width: int, device: torch.device | str = "cpu") -> Tensor:
        """Where each pixel of psi_t(nu) . f comes from: (V, H*W) int64."""
        side = 2 * self.k + 1
        return super().sources(time, height, width, device)[self.k :: side]
