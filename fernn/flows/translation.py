"""Translation by whole pixels on the torus: the flows V_k^T of the paper.

A generator is nu = (vx, vy) in pixels per frame, x to the right and y downwards. psi_t(nu) moves an image by t * nu
with wrap-around: (psi_t(nu) . f)(p) = f(p - t * nu). Such a move is a permutation of pixels, so everything here is an
index, exact and invertible.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from fernn.errors import FernnError
from fernn.flows.base import check_time, kept, whole
from fernn.flows.names import reach

Offsets = tuple[tuple[int, int], ...]  # (row, column) for each generator


@dataclass(frozen=True)
class Translation:
    """V_k^T: all whole-pixel velocities (vx, vy) with |vx|, |vy| <= k (paper, Section 5.1; k = 0 is the G-RNN).

    Args:
        k: largest speed along each axis, in pixels per frame, at least 0.

    Raises:
        FernnError: if `k` is not a whole number of at least 0.
    """

    k: int

    def __post_init__(self) -> None:
        k = whole(self.k)
        if k is None or k < 0:
            raise FernnError(
                f"Translation(k={self.k!r}): k is the largest speed in pixels per frame, a whole number of at least 0."
            )
        object.__setattr__(self, "k", k)

    @classmethod
    def parse(cls, name: str) -> "Translation":
        """Read a name such as "V2T" (V_2^T).

        Raises:
            FernnError: if the name has another form.
        """
        return cls(reach(name, "T"))

    @classmethod
    def of(cls, flow: "Translation | str") -> "Translation":
        """A flow, given itself or its name.

        Raises:
            FernnError: if it is neither.
        """
        if isinstance(flow, str):
            return cls.parse(flow)
        if not isinstance(flow, Translation):
            raise FernnError(f"expected a {cls.__name__} or its name, such as {cls(2).name!r}; found {flow!r}.")
        return flow

    @property
    def name(self) -> str:
        """The name used in params.yaml and in file names, such as "V2T"."""
        return f"V{self.k}T"

    @cached_property
    def generators(self) -> tuple[tuple[int, int], ...]:
        """The (vx, vy) of V, ordered by vx, then vy (the order of the released code)."""
        span = range(-self.k, self.k + 1)
        return tuple((vx, vy) for vx in span for vy in span)

    def __len__(self) -> int:
        return len(self.generators)

    def offsets(self, time: int, height: int, width: int) -> Offsets:
        """Where the first pixel of psi_t(nu) . f comes from, for every nu of V.

        On a torus laid out twice each way, psi_t(nu) . f is the rectangle of height x width that begins there.

        Args:
            time: t in frames; negative values move backwards.
            height: rows of the image.
            width: columns of the image.
        """
        return tuple((-time * vy % height, -time * vx % width) for vx, vy in self.generators)

    def sources(self, time: int, height: int, width: int, device: torch.device | str = "cpu") -> Tensor:
        """Where each pixel of psi_t(nu) . f comes from, for every nu of V.

        Args:
            time: t in frames; negative values move backwards.
            height: rows of the image.
            width: columns of the image.
            device: where the index is wanted.

        Returns:
            (V, H*W) int64: psi_t(nu).f flattened is f.flatten()[sources[nu]].
        """
        return _sources(self.offsets(time, height, width), height, width, torch.device(device))

    def move(self, maps: Tensor, time: int) -> Tensor:
        """Apply psi_t(nu) to the map of each generator.

        Args:
            maps: (B, V, C, H, W), or (B, 1, C, H, W) for one map that every generator is to move.
            time: t in frames.

        Returns:
            (B, V, C, H, W), stored with the channels last. Differentiable; exact in every precision.

        Raises:
            FernnError: if the second axis holds neither one map nor one for each generator, or t is no whole number.
        """
        check_time(time)
        if maps.ndim != 5 or maps.shape[1] not in (1, len(self)):
            raise FernnError(
                f"{self!r}.move got maps of shape {tuple(maps.shape)}: "
                f"expected (batch, {len(self)} or 1, channels, height, width)."
            )
        height, width = maps.shape[-2:]
        forth = self.sources(time, height, width, maps.device)
        back = self.sources(-time, height, width, maps.device)
        moved: Tensor = _Move.apply(maps, forth, back)
        return moved


@kept(512)  # offsets come again after height * width frames, so a long rollout meets a bounded number
def _sources(offsets: Offsets, height: int, width: int, device: torch.device) -> Tensor:
    y = torch.arange(height).view(1, -1, 1)
    x = torch.arange(width).view(1, 1, -1)
    rows, columns = torch.tensor(offsets).view(-1, 2, 1, 1).unbind(1)
    index = (y + rows) % height * width + (x + columns) % width
    return index.flatten(1).to(device)


class _Move(torch.autograd.Function):
    """A gather whose gradient is the gather by the inverse: deterministic on CUDA, where index_add is not."""

    @staticmethod
    def forward(ctx: Any, maps: Tensor, forth: Tensor, back: Tensor) -> Tensor:
        ctx.save_for_backward(back)
        ctx.shared = maps.shape[1] == 1 and forth.shape[0] > 1
        return _gather(maps, forth)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        (back,) = ctx.saved_tensors
        moved = _gather(gradient, back)
        return moved.sum(1, keepdim=True) if ctx.shared else moved, None, None


def _gather(maps: Tensor, sources: Tensor) -> Tensor:
    batch, held, channels, height, width = maps.shape
    generators, pixels = sources.shape
    if held > 1:  # each generator reads its own map
        sources = sources + torch.arange(generators, device=sources.device).unsqueeze(1) * pixels
    rows = maps.permute(0, 1, 3, 4, 2).reshape(batch, held * pixels, channels)
    moved = rows.index_select(1, sources.flatten())
    return moved.view(batch, generators, height, width, channels).permute(0, 1, 4, 2, 3)
