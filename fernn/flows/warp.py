"""Linear maps of the plane about the centre of the frame, such as turns and zooms: bilinear, with zeros outside.

Such a map is a fixed sparse linear map of pixels: at most four make one. Both it and its transpose, which is what a
gradient needs, are gathers here: deterministic on CUDA, where the gradient of `grid_sample` is not.
"""

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from fernn.flows.base import kept

NEGLIGIBLE = 1e-9  # interpolation weights below this are rounding of the matrix
Matrix = tuple[tuple[float, float], tuple[float, float]]


def warp(maps: Tensor, matrix: Matrix) -> Tensor:
    """f(c + A (p - c)) for each pixel p = (x right, y down), c the centre of the frame.

    Args:
        maps: f, (B, C, H, W).
        matrix: A.

    Returns:
        (B, C, H, W), stored with the channels last; bilinear, zeros outside. Differentiable.
    """
    batch, channels, height, width = maps.shape
    rows = maps.permute(0, 2, 3, 1).reshape(-1, channels)
    forth, back = (_of_batch(taps, batch, height * width) for taps in _taps(matrix, height, width, maps.device))
    moved: Tensor = _Gather.apply(rows, *forth, *back)
    return moved.view(batch, height, width, channels).permute(0, 3, 1, 2)


Taps = tuple[Tensor, Tensor, Tensor]  # a sparse matrix by rows: sources, where each row starts, weights


class _Gather(torch.autograd.Function):
    """A sparse map of rows whose gradient is the gather by its transpose."""

    @staticmethod
    def forward(rows: Tensor, *taps: Tensor) -> Tensor:
        return _gather(rows, *taps[:3])

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        ctx.save_for_backward(*inputs[4:])
        ctx.forth = inputs[1:4]

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        return _Gather.apply(gradient.contiguous(), *ctx.saved_tensors, *ctx.forth), *(None,) * 6

    @staticmethod
    def vmap(info: Any, dims: tuple[int | None, ...], rows: Tensor, *taps: Tensor) -> tuple[Tensor, int]:
        """Further dimensions are further channels, since torch has no batching rule for `embedding_bag`."""
        several = rows.movedim(dims[0], -1)  # type: ignore[arg-type]
        return _Gather.apply(several.flatten(1), *taps).unflatten(1, several.shape[1:]), 2


def _gather(rows: Tensor, sources: Tensor, starts: Tensor, weights: Tensor) -> Tensor:
    return F.embedding_bag(sources, rows, starts, mode="sum", per_sample_weights=weights.to(rows.dtype))


def _of_batch(taps: Taps, batch: int, pixels: int) -> Taps:
    """The map of one image, for `batch` images whose pixels follow each other."""
    sources, starts, weights = taps
    number = torch.arange(batch, device=sources.device, dtype=sources.dtype).unsqueeze(1)
    every = (sources + number * pixels).flatten(), (starts + number * sources.numel()).flatten()
    return *every, weights.repeat(batch)


@kept(512)
def _taps(matrix: Matrix, height: int, width: int, device: torch.device) -> tuple[Taps, Taps]:
    """The map of pixels of one image, and its transpose."""
    target, source, weight = _bilinear(matrix, height, width)
    return tuple(
        (
            torch.from_numpy(columns[order]).to(device),
            torch.from_numpy(np.searchsorted(rows[order], np.arange(height * width))).to(device),
            torch.from_numpy(weight[order]).to(device),
        )
        for rows, columns in ((target, source), (source, target))
        for order in (np.lexsort((columns, rows)),)
    )  # type: ignore[return-value]  # two of them


Terms = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]


def _bilinear(matrix: Matrix, height: int, width: int) -> Terms:
    """Target pixel, source pixel and weight of every term."""
    (xx, xy), (yx, yy) = matrix
    y, x = np.divmod(np.arange(height * width), width)
    dy, dx = y - (height - 1) / 2, x - (width - 1) / 2
    from_x, from_y = xx * dx + xy * dy + (width - 1) / 2, yx * dx + yy * dy + (height - 1) / 2
    left, top = np.floor(from_x).astype(np.int64), np.floor(from_y).astype(np.int64)
    terms = []
    for column, in_x in ((left, left + 1 - from_x), (left + 1, from_x - left)):
        for row, in_y in ((top, top + 1 - from_y), (top + 1, from_y - top)):
            weight = in_x * in_y
            inside = (column >= 0) & (column < width) & (row >= 0) & (row < height) & (weight > NEGLIGIBLE)
            terms.append((np.flatnonzero(inside), (row * width + column)[inside], weight[inside]))
    target, source, weight = (np.concatenate(parts) for parts in zip(*terms, strict=True))
    return target, source, weight
