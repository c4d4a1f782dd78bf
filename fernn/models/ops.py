"""Tensor operations of the recurrent cells: circular borders, the step in the co-moving frame, the maximum over V.

Plain autograd would do them with more memory or in more kernels. Hidden maps carry their circular border with them,
(B*V, C, H+2p, W+2p) stored channels last. A step then allocates one map that serves as its result, as the saved mask of
its activation and as the saved input of the next convolution; composed operations hold two or three.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fernn.errors import FernnError
from fernn.models import winograd
from fernn.models.checks import check_first, is_plain

if TYPE_CHECKING:  # only the types: a network of rotations, which pads by this module, depends on no translation
    from fernn.flows.translation import Offsets, Translation

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {"relu": torch.relu, "tanh": torch.tanh}
_IN_PLACE = {"relu": torch.relu_, "tanh": torch.tanh_}
# gradients from an activation's result, as autograd itself takes them
_DERIVATIVES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "relu": lambda gradient, result: torch.ops.aten.threshold_backward(gradient, result, 0),
    "tanh": torch.ops.aten.tanh_backward,
}
# (C', C, 2p+1, 2p+1), the transform of a 3x3 kernel, or a convolution to call, for its hooks or its own `forward`
Kernel = Tensor | winograd.Transformed | nn.Module


def circular_pad(maps: Tensor, border: int) -> Tensor:
    """Maps on a torus with a border of p pixels on each side: (N, C, H, W) to (N, C, H+2p, W+2p).

    The channels stay last in memory where they are. torch's own circular padding puts them first, and its gradient is
    many kernels.

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


def prepared(convolution: nn.Conv2d, dtype: torch.dtype, height: int, width: int) -> Kernel:
    """The kernel of a convolution for maps of (height, width) pixels, transformed where that saves time.

    Preparing it once serves all steps until the kernel changes. A convolution that is not plain is called at each step.
    """
    if not is_plain(convolution, nn.Conv2d):
        return convolution
    W = convolution.weight.to(dtype)
    if W.shape[1] > W.shape[0]:  # of several couplings d: (C', (d, C), k, k) to ((d, C'), C, k, k)
        W = W.unflatten(1, (-1, len(W))).transpose(0, 1).flatten(0, 1)
    return winograd.transform(W) if winograd.pays(W, height, width) else W


def recorded(W: Kernel) -> bool:
    """Whether gradients flow through a prepared kernel to the kernel that it was prepared from."""
    return isinstance(W, nn.Module) or (W if isinstance(W, Tensor) else W.taps).requires_grad


def convolve(maps: Tensor, W: Kernel) -> Tensor:
    """W * maps for maps that carry their border, (N, C, H+2p, W+2p), and a prepared kernel: (N, C', H, W)."""
    if isinstance(W, nn.Module):
        result: Tensor = W(maps)
        return result
    return F.conv2d(maps, W) if isinstance(W, Tensor) else winograd.convolve(maps, W)


def moving_step(
    maps: Tensor, drive: Tensor, W: Tensor | winograd.Transformed, activation: str, flow: "Translation", time: int
) -> Tensor:
    """g_time = act(W * g_{time-1} + psi_{-time}(nu).drive), with its border.

    Args:
        maps: g_{time-1} with border, (B*V, C, H+2p, W+2p), channels last, as the result.
        drive: U * f, the frame's part before it moves, (B, C, H, W).
        W: hidden kernel, prepared.
        activation: a key of `ACTIVATIONS`.
        flow: the generators V.
        time: of the result.
    """
    weight, U = (W, None) if isinstance(W, Tensor) else (W.taps, W.U)
    result: Tensor = _MovingStep.apply(maps, drive, weight, U, activation, flow.offsets(-time, *drive.shape[-2:]))
    return result


def max_over_flow(maps: Tensor, flow: "Translation", time: int, border: int) -> Tensor:
    """Max over V of psi_t(nu).g_t(nu): (B*V, C, H+2p, W+2p) -> (B, C, H, W), the first generator at ties."""
    rows, columns = maps.shape[-2:]
    height, width = rows - 2 * border, columns - 2 * border
    plain = flow.sources(time, height, width, maps.device)
    bordered = (plain // width + border) * columns + plain % width + border
    offset = torch.arange(len(flow), device=maps.device).unsqueeze(1) * (rows * columns)
    result: Tensor = _MaxOverFlow.apply(maps, bordered + offset, height, width)
    return result


class _MovingStep(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, maps: Tensor, drive: Tensor, weight: Tensor, U: Tensor | None, activation: str, offsets: "Offsets"
    ) -> Tensor:
        p = weight.shape[-1] // 2 if U is None else 1
        result = torch.empty_like(maps)
        inner = interior(result, p)
        moved = F.conv2d(maps, weight) if U is None else winograd.correlate(maps, U, inner)
        _add_moved(moved, drive, offsets, inner)
        _IN_PLACE[activation](inner)
        wrap(result, p)
        ctx.save_for_backward(maps, weight if U is None else U, result)
        ctx.activation, ctx.offsets, ctx.transformed = activation, offsets, U is not None
        return result

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        if ctx.transformed:
            check_first(*winograd.FIRST)
        maps, W, result = ctx.saved_tensors
        # the border of the result has the values, and so the derivatives, of what it is a copy of
        inner = unwrap_(_DERIVATIVES[ctx.activation](gradient, result), 1 if ctx.transformed else W.shape[-1] // 2)
        of_maps, of_drive, of_W, *_ = ctx.needs_input_grad
        if ctx.transformed:
            to_maps, to_W = winograd.gradients(maps, W, inner, of_maps, of_W)
        else:
            to_maps, to_W, _ = torch.ops.aten.convolution_backward(
                inner, maps, W, None, [1, 1], [0, 0], [1, 1], False, [0, 0], 1, [of_maps, of_W, False]
            )
        return to_maps, _sum_moved_back(inner, ctx.offsets) if of_drive else None, to_W, None, None, None


class _MaxOverFlow(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, maps: Tensor, sources: Tensor, height: int, width: int) -> Tensor:
        generators = sources.shape[0]
        channels = maps.shape[1]
        # (B, all pixels of all generators, C): one row of channels is one contiguous copy
        rows = maps.permute(0, 2, 3, 1).reshape(maps.shape[0] // generators, -1, channels)
        lab = rows.index_select(1, sources.flatten()).view(rows.shape[0], generators, height * width, channels)
        value, winner = lab.max(1)
        ctx.save_for_backward(winner.to(torch.int16 if generators <= 2**15 else torch.int32), sources)
        ctx.shape = maps.shape
        return value.view(-1, height, width, channels).permute(0, 3, 1, 2)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None, None]:
        winner, sources = ctx.saved_tensors
        count, channels, height, width = ctx.shape
        batch = winner.shape[0]
        pixel = torch.arange(sources.shape[1], device=sources.device).view(1, -1, 1)
        target = sources[winner.long(), pixel]  # every winner is a pixel of its own: nothing collides
        result = gradient.new_zeros(batch, count // batch * height * width, channels)
        result.scatter_(1, target, gradient.permute(0, 2, 3, 1).reshape(batch, -1, channels))
        return result.view(count, height, width, channels).permute(0, 3, 1, 2), None, None, None


def _add_moved(maps: Tensor, drive: Tensor, offsets: "Offsets", result: Tensor) -> None:
    """To result = maps + psi(nu).drive, for maps (B*V, C, H, W) and a drive (B, C, H, W).

    On a torus that was laid out twice each way, a moved map is a rectangle: nothing of V maps is written but the sum.
    """
    height, width = drive.shape[-2:]
    around = drive.permute(0, 2, 3, 1).tile(1, 2, 2, 1)
    of_generators = zip(_by_generator(maps, len(offsets)), _by_generator(result, len(offsets)), offsets, strict=True)
    for own, own_result, (row, column) in of_generators:
        torch.add(own, around[:, row : row + height, column : column + width], out=own_result)


def _sum_moved_back(gradient: Tensor, offsets: "Offsets") -> Tensor:
    """The transpose of what `_add_moved` does to the drive: (B*V, C, H, W) to (B, C, H, W), channels last."""
    each = _by_generator(gradient, len(offsets))
    batch, height, width, channels = each[0].shape
    around = gradient.new_zeros(batch, 2 * height, 2 * width, channels)
    for own, (row, column) in zip(each, offsets, strict=True):
        around[:, row : row + height, column : column + width].add_(own)
    return around.view(batch, 2, height, 2, width, channels).sum((1, 3)).permute(0, 3, 1, 2)


def _by_generator(maps: Tensor, generators: int) -> tuple[Tensor, ...]:
    """(B*V, C, H, W) as V views (B, H, W, C)."""
    return maps.permute(0, 2, 3, 1).unflatten(0, (-1, generators)).unbind(1)
