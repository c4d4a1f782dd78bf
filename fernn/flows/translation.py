"""Translation by whole pixels on the torus: the flows V_k^T of the paper.

A generator is nu = (vx, vy) in pixels per frame, x to the right and y downwards. psi_t(nu) moves an image by t * nu
with wrap-around: (psi_t(nu) . f)(p) = f(p - t * nu). Such a move is a permutation of pixels, so everything here is an
index, exact and invertible.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import torch
from torch import Tensor

from fernn.errors import FernnError
from fernn.flows.base import Flow, kept, whole

Offsets = tuple[tuple[int, int], ...]  # (row, column) for each generator


@dataclass(frozen=True)
class Translation(Flow):
    """V_k^T: all whole-pixel velocities (vx, vy) with |vx|, |vy| <= k (paper, Section 5.1; k = 0 is the G-RNN).

    Args:
        k: largest speed along each axis, in pixels per frame, at least 0.

    Raises:
        FernnError: if `k` is not a whole number of at least 0.
    """

    letter = "T"
    padding = "circular"
    exact = True

    @classmethod
    def of(cls, flow: Any, *arguments: Any) -> Self:
        """A flow of whole-pixel translations, given itself or its name.

        Raises:
            FernnError: if it is neither, or a subclass that moves maps in another way than this class.
        """
        flow = super().of(flow, *arguments)
        for nu in flow.generators:
            if not isinstance(nu, tuple) or len(nu) != 2 or None in map(whole, nu):
                raise FernnError(f"{flow!r} has the generator {nu!r}; expected (vx, vy) in whole pixels per frame.")
        return flow

    @cached_property
    def generators(self) -> tuple[tuple[int, int], ...]:
        """The (vx, vy) of V, ordered by vx, then vy (the order of the released code)."""
        span = range(-self.k, self.k + 1)
        return tuple((vx, vy) for vx in span for vy in span)

    def act(self, maps: Tensor, nu: tuple[int, int], time: int) -> Tensor:
        """psi_t(nu).f for maps f, (B, C, H, W): a roll."""
        return maps.roll((time * nu[1], time * nu[0]), (-2, -1))

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

    def move(self, maps: Tensor, time: int, order: int = 1) -> Tensor:
        """`Flow.move` as one gather; stored with the channels last, exact in every precision."""
        self._check(maps, time, order)
        height, width = maps.shape[-2:]
        forth = self.sources(time, height, width, maps.device)
        back = self.sources(-time, height, width, maps.device)
        moved: Tensor = _Move.apply(maps, forth, back)
        return moved


class Shift1d(Translation):
    """V_k^X: shifts along x by v whole pixels per frame, |v| <= k, as of a time series or of digits on a line.

    A generator is (v, 0), so every model of translations takes this flow. Exact, like all of them: the error of
    equivariance is rounding, below 1e-12 in float64. A series is a frame of one row, (B, C, 1, W), for kernels of up to
    3x3 pixels: a larger one finds no room on the torus.

    Args:
        k: largest speed in pixels per frame, at least 0.
    """

    letter = "X"

    @cached_property
    def generators(self) -> tuple[tuple[int, int], ...]:
        """The (v, 0) of V, rising."""
        return tuple((v, 0) for v in range(-self.k, self.k + 1))


@kept(512)  # offsets come again after height * width frames, so a long rollout meets a bounded number
def _sources(offsets: Offsets, height: int, width: int, device: torch.device) -> Tensor:
    y = torch.arange(height).view(1, -1, 1)
    x = torch.arange(width).view(1, 1, -1)
    rows, columns = torch.tensor(offsets).view(-1, 2, 1, 1).unbind(1)
    index = (y + rows) % height * width + (x + columns) % width
    return index.flatten(1).to(device)


class _Move(torch.autograd.Function):
    """A gather whose gradient is the gather by the inverse: deterministic on CUDA, where index_add is not."""

    generate_vmap_rule = True

    @staticmethod
    def forward(maps: Tensor, forth: Tensor, back: Tensor) -> Tensor:
        return _gather(maps, forth)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        maps, forth, back = inputs
        ctx.save_for_backward(back)
        ctx.shared = maps.shape[1] == 1 and forth.shape[0] > 1

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
