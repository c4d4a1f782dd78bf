"""3x3 convolutions with a quarter of the products: Winograd's minimal filtering F(4x4, 3x3).

An image is cut into tiles of 6x6 pixels that overlap by 2; each gives 4x4 pixels of the result. With d a tile, g a
filter and o the product by elements (Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", 2016):

    result = A^T [ (B^T d B) o (G g G^T) ] A

so that 36 products of a channel with a channel do what 144 do in the direct form. Summed over channels, these are 36
products of matrices, (tiles x C) (C x C'), and B and A cost a few additions. Gradients go the same way back:

    g' = G^T (V^T Q) G,    d' = B ( Q (G g G^T)^T ) B^T,    Q = A result' A^T,    V = B^T d B

It is used on CPUs in float32. Its relative error is about 2e-6, three times that of the direct form.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from fernn.models.checks import check_first
from fernn.models.precision import compute_dtype

STEP, TILE = 4, 6  # side of a tile in pixels: of the result, and of the image
POINTS = TILE * TILE
TOGETHER = 50_000  # tiles times channels that are transformed at a time, so that they fit into the cache
FIRST = "Winograd's convolution", "compute inside `with fernn.models.winograd.allowed(False):`"
LEAST = 64  # channels; with fewer, the additions cost more than the products saved

_wanted: ContextVar[bool] = ContextVar("winograd", default=True)

_G = (
    (1 / 4, 0, 0),
    (-1 / 6, -1 / 6, -1 / 6),
    (-1 / 6, 1 / 6, -1 / 6),
    (1 / 24, 1 / 12, 1 / 6),
    (1 / 24, -1 / 12, 1 / 6),
    (0, 0, 1),
)

Parts = Sequence[Tensor]


@contextmanager
def allowed(yes: bool) -> Iterator[None]:
    """Whether kernels may be transformed, inside; the default is that they may."""
    before = _wanted.set(yes)
    try:
        yield
    finally:
        _wanted.reset(before)


def use(yes: bool) -> None:
    """`allowed` for the rest of the process."""
    _wanted.set(yes)


def pays(W: Tensor, height: int, width: int) -> bool:
    """Whether a convolution with the kernel W (C', C, k, k) to (height, width) is faster and allowed so."""
    suits = W.shape[2:] == (3, 3) and height % STEP == 0 and width % STEP == 0 and min(W.shape[:2]) >= LEAST
    return suits and W.device.type == "cpu" and compute_dtype(W) == torch.float32 and _wanted.get()


@dataclass(frozen=True)
class Transformed:
    """A kernel W, and what is multiplied in its place.

    Attributes:
        taps: W in another order, (9, C, C'); gradients go to it. They are a quarter as large as those of U, of which
            each convolution with the kernel would add one.
        U: G g G^T, (36, C, C'), without gradient.
    """

    taps: Tensor
    U: Tensor


def convolve(maps: Tensor, kernel: Transformed) -> Tensor:
    """`correlate`, differentiable, of maps in any memory format."""
    result: Tensor = _Convolve.apply(maps.contiguous(memory_format=torch.channels_last), kernel.taps, kernel.U)
    return result


class _Convolve(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, maps: Tensor, taps: Tensor, U: Tensor) -> Tensor:
        ctx.save_for_backward(maps, U)
        return correlate(maps, U)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        check_first(*FIRST)
        maps, U = ctx.saved_tensors
        of_maps, of_taps, _ = ctx.needs_input_grad
        return *gradients(maps, U, gradient, of_maps, of_taps), None


def transform(W: Tensor) -> Transformed:
    """A kernel W (C', C, 3, 3) as `convolve` takes it. Differentiable."""
    taps = W.permute(2, 3, 1, 0).flatten(0, 1).contiguous()
    return Transformed(taps, torch.tensordot(_points(W), taps.detach(), 1))


def _points(like: Tensor) -> Tensor:
    """G g G^T as a matrix (36, 9)."""
    G = torch.tensor(_G, dtype=like.dtype, device=like.device)
    return torch.kron(G, G)


def correlate(maps: Tensor, U: Tensor, result: Tensor | None = None) -> Tensor:
    """The convolution of maps that carry their border.

    Args:
        maps: (N, C, H+2, W+2) stored channels last, H and W multiples of 4.
        U: the transformed kernel, (36, C, C').
        result: where to, (N, C', H, W), channels last; by default new.

    Returns:
        (N, C', H, W), channels last.
    """
    count, _, rows, columns = maps.shape
    if result is None:
        result = maps.new_empty(count, rows - 2, columns - 2, U.shape[2]).permute(0, 3, 1, 2)
    for part, room in _in_parts(maps, U):
        room.take(_last(maps[part]))
        torch.bmm(room.V.view(POINTS, -1, U.shape[1]), U, out=room.M.view(POINTS, -1, U.shape[2]))
        room.give(_last(result[part]))
    return result


def gradients(
    maps: Tensor, U: Tensor, gradient: Tensor, of_maps: bool, of_taps: bool
) -> tuple[Tensor | None, Tensor | None]:
    """The gradients of `correlate`, given that of its result, (N, C', H, W) with the channels last.

    Returns:
        The gradients of the maps, with border, and of the kernel, (9, C, C'); None where `of_...` is false.
    """
    to_maps = torch.empty_like(maps) if of_maps else None
    to_U = torch.zeros_like(U) if of_taps else None
    for part, room in _in_parts(maps, U):
        room.take_gradient(_last(gradient[part]))
        Q = room.M.view(POINTS, -1, U.shape[2])
        V = room.V.view(POINTS, -1, U.shape[1])
        if to_U is not None:
            room.take(_last(maps[part]))
            to_U.baddbmm_(V.transpose(1, 2), Q)
        if to_maps is not None:
            torch.bmm(Q, U.transpose(1, 2), out=V)
            room.give_gradient(_last(to_maps[part]))
    return to_maps, None if to_U is None else torch.tensordot(_points(U).T, to_U, 1)


def _last(maps: Tensor) -> Tensor:
    """Maps (N, C, H, W) as (N, H, W, C), a view."""
    return maps.permute(0, 2, 3, 1)


def _in_parts(maps: Tensor, U: Tensor) -> Iterator[tuple[slice, "_Room"]]:
    """The maps, about `TOGETHER` channels of tiles at a time, each time with the same memory."""
    count, _, rows, columns = maps.shape
    tiles = (rows - 2) // STEP, (columns - 2) // STEP
    size = max(1, TOGETHER // (tiles[0] * tiles[1] * max(U.shape[1:])))
    room = None
    for first in range(0, count, size):
        number = min(size, count - first)
        if room is None or number != size:
            room = _Room(maps, number, tiles, U.shape[1], U.shape[2])
        yield slice(first, first + number), room


class _Room:
    """Memory for the transforms of n maps of T = (Ty, Tx) tiles, used again for the next ones.

    V is of the image or its gradient, (6, 6, n, Ty, Tx, C), M of the result or its gradient, (6, 6, n, Ty, Tx, C').
    """

    def __init__(self, like: Tensor, n: int, tiles: tuple[int, int], inputs: int, outputs: int) -> None:
        grid = n, *tiles
        self.V = like.new_empty(TILE, TILE, *grid, inputs)
        self.M = like.new_empty(TILE, TILE, *grid, outputs)
        # rows are transformed first, columns then: what is between, and two or four parts of it
        lines = n, tiles[0], tiles[1] * STEP + 2
        self.rows_V = like.new_empty(TILE, *lines, inputs)
        self.rows_M = like.new_empty(STEP, TILE, *grid, outputs)
        self.parts = like.new_empty(
            4 * max(TILE * n * tiles[0] * tiles[1], n * tiles[0] * lines[2]) * max(inputs, outputs)
        )

    def take(self, image: Tensor) -> None:
        """V = B^T d B for the tiles d of an image (n, H+2, W+2, C)."""
        _image(_tiles(image, 1), self.rows_V.unbind(0), self._parts(self.rows_V[0]))
        _image(_tiles(self.rows_V, 3), self.V.unbind(1), self._parts(self.V[:, 0]))

    def give(self, result: Tensor) -> None:
        """A^T M A to (n, H, W, C')."""
        _result(self.M.unbind(0), self.rows_M.unbind(0), self._parts(self.M[0]))
        _result(self.rows_M.unbind(1), _squares(result).unbind(0), self._parts(self.rows_M[:, 0]))

    def take_gradient(self, gradient: Tensor) -> None:
        """M = A d A^T for the squares d of 4x4 pixels of a gradient (n, H, W, C')."""
        _result_back(_squares(gradient).unbind(0), self.rows_M.unbind(1), self._parts(self.rows_M[:, 0]))
        _result_back(self.rows_M.unbind(0), self.M.unbind(0), self._parts(self.M[0]))

    def give_gradient(self, image: Tensor) -> None:
        """B V B^T, summed where tiles overlap, to (n, H+2, W+2, C)."""
        self.rows_V[:, :, :, -2:] = 0
        _image_back(self.V.unbind(1), _tiles(self.rows_V, 3), self._parts(self.V[:, 0]))
        image[:, -2:] = 0
        _image_back(self.rows_V.unbind(0), _tiles(image, 1), self._parts(self.rows_V[0]))

    def _parts(self, like: Tensor) -> Parts:
        return self.parts[: 4 * like.numel()].view(4, *like.shape).unbind(0)


def _tiles(image: Tensor, dim: int) -> Parts:
    """Pixel 0 ... 5 of all tiles along a dimension."""
    span = image.shape[dim] - TILE + 1
    return [image[(slice(None),) * dim + (slice(i, i + span, STEP),)] for i in range(TILE)]


def _squares(result: Tensor) -> Tensor:
    """(n, H, W, C) as (4 columns, 4 rows, n, Ty, Tx, C)."""
    return result.unflatten(2, (-1, STEP)).unflatten(1, (-1, STEP)).permute(4, 2, 0, 1, 3, 5)


def _image(d: Parts, v: Parts, parts: Parts) -> None:
    """To v = B^T d."""
    p, q = parts[:2]
    torch.add(d[4], d[2], alpha=-5, out=v[0]).add_(d[0], alpha=4)
    torch.add(d[4], d[2], alpha=-4, out=p)
    torch.add(d[3], d[1], alpha=-4, out=q)
    torch.add(p, q, out=v[1])
    torch.sub(p, q, out=v[2])
    torch.sub(d[4], d[2], out=p)
    torch.sub(d[3], d[1], out=q)
    torch.add(p, q, alpha=2, out=v[3])
    torch.sub(p, q, alpha=2, out=v[4])
    torch.add(d[5], d[3], alpha=-5, out=v[5]).add_(d[1], alpha=4)


def _image_back(v: Parts, d: Parts, parts: Parts) -> None:
    """To d = B v; the last two pixels of a tile are added to the first two of the next one."""
    p, q, r, s = parts
    torch.add(v[1], v[2], out=p)
    torch.sub(v[1], v[2], out=q)
    torch.add(v[3], v[4], out=r)
    torch.sub(v[3], v[4], out=s)
    torch.mul(v[0], 4, out=d[0])
    torch.sub(v[5], q, out=d[1]).mul_(4).sub_(s, alpha=2)
    torch.add(r, p, alpha=4, out=d[2]).add_(v[0], alpha=5).neg_()
    torch.add(q, s, alpha=2, out=d[3]).sub_(v[5], alpha=5)
    d[4].add_(v[0]).add_(p).add_(r)
    d[5].add_(v[5])


def _result(m: Parts, y: Parts, parts: Parts) -> None:
    """To y = A^T m."""
    p, q, r, s = parts
    torch.add(m[1], m[2], out=p)
    torch.sub(m[1], m[2], out=q)
    torch.add(m[3], m[4], out=r)
    torch.sub(m[3], m[4], out=s)
    torch.add(m[0], p, out=y[0]).add_(r)
    torch.add(q, s, alpha=2, out=y[1])
    torch.add(p, r, alpha=4, out=y[2])
    torch.add(q, s, alpha=8, out=y[3]).add_(m[5])


def _result_back(y: Parts, m: Parts, parts: Parts) -> None:
    """To m = A y."""
    p, q = parts[:2]
    m[0].copy_(y[0])
    m[5].copy_(y[3])
    torch.add(y[0], y[2], out=p)
    torch.add(y[1], y[3], out=q)
    torch.add(p, q, out=m[1])
    torch.sub(p, q, out=m[2])
    torch.add(y[0], y[2], alpha=4, out=p)
    torch.add(y[1], y[3], alpha=4, out=q)
    torch.add(p, q, alpha=2, out=m[3])
    torch.sub(p, q, alpha=2, out=m[4])
