"""Circular borders: maps on a torus carry a copy of their other side around them."""

from typing import Any

import torch
from torch import Tensor

from fernn.errors import FernnError


def circular_pad(maps: Tensor, border: int) -> Tensor:
    """Wrap maps around by some pixels on each side.

    torch's own circular padding gives maps with the channels first, whatever it got, and its gradient is many kernels.

    Args:
        maps: (N, C, H, W).
        border: p, at most H and W.

    Returns:
        (N, C, H+2p, W+2p), in memory with the channels last where `maps` are.

    Raises:
        FernnError: if the border is wider than the maps.
    """
    if border > min(maps.shape[-2:]):
        raise FernnError(
            f"circular_pad got maps of {maps.shape[-2]}x{maps.shape[-1]} pixels, smaller than the border, {border}."
        )
    wrapped: Tensor = _CircularPad.apply(maps, border) if border else maps
    return wrapped


def interior(maps: Tensor, p: int) -> Tensor:
    """Maps without their border: (N, C, H+2p, W+2p) to (N, C, H, W), a view."""
    return maps[..., p : maps.shape[-2] - p, p : maps.shape[-1] - p]


def wrap(maps: Tensor, p: int) -> None:
    """Fill the border from the interior: rows first, then whole columns, which brings the corners."""
    if p == 0:
        return
    maps[..., :p, p:-p] = maps[..., -2 * p : -p, p:-p]
    maps[..., -p:, p:-p] = maps[..., p : 2 * p, p:-p]
    maps[..., :p] = maps[..., -2 * p : -p]
    maps[..., -p:] = maps[..., p : 2 * p]


def unwrap_(gradient: Tensor, p: int) -> Tensor:
    """The transpose of `wrap`, in place: the interior plus what its copies in the border received, a view."""
    if p == 0:
        return gradient
    # add_, where += would also copy each sum to its own place
    gradient[..., -2 * p : -p, :].add_(gradient[..., :p, :])  # the columns of these rows are wrapped still
    gradient[..., p : 2 * p, :].add_(gradient[..., -p:, :])
    rows = gradient[..., p:-p, :]
    rows[..., -2 * p : -p].add_(rows[..., :p])
    rows[..., p : 2 * p].add_(rows[..., -p:])
    return rows[..., p:-p]


class _CircularPad(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, maps: Tensor, p: int) -> Tensor:
        *outer, height, width = maps.shape
        size = *outer, height + 2 * p, width + 2 * p
        last = maps.is_contiguous(memory_format=torch.channels_last)
        order = torch.channels_last if last else torch.contiguous_format
        result = torch.empty(size, dtype=maps.dtype, device=maps.device, memory_format=order)
        interior(result, p).copy_(maps)
        wrap(result, p)
        ctx.border = p
        return result

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return unwrap_(gradient.clone(), ctx.border), None
