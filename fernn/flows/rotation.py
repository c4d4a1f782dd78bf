"""Rotation about the centre of the frame: the flows V_k^R of the paper.

A generator is nu in degrees per frame, positive counter-clockwise as seen. psi_t(nu) turns an image by t * nu:
(psi_t(nu) . f)(p) = f(c + R (p - c)) with R = [[cos a, -sin a], [sin a, cos a]] on (x right, y down), a = t * nu and c
the centre, read bilinearly with zeros outside (paper, Appendix; released `act_on_hidden`).

Turning by a fixed angle is a fixed sparse linear map of pixels: at most four make one. Both it and its transpose, which
is what a gradient needs, are gathers here: deterministic on CUDA, where the gradient of `grid_sample` is not.
"""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from fernn.errors import FernnError
from fernn.flows.base import check_time, kept, whole
from fernn.flows.names import reach

NEGLIGIBLE = 1e-9  # interpolation weights below this are rounding of the angle's sine


@dataclass(frozen=True)
class Rotation:
    """V_k^R: rotations by -k ... k times `degrees` per frame (paper, Section 5.1; k = 0 is the G-RNN).

    Args:
        k: largest multiple of `degrees`, at least 0.
        degrees: the smallest turn per frame.

    Raises:
        FernnError: if `k` is not a whole number of at least 0, or `degrees` is not a positive number.
    """

    k: int
    degrees: float = 10.0

    def __post_init__(self) -> None:
        k = whole(self.k)
        if k is None or k < 0:
            raise FernnError(f"Rotation(k={self.k!r}): k counts turns on either side, a whole number of at least 0.")
        object.__setattr__(self, "k", k)
        try:
            degrees = float(self.degrees)
        except (TypeError, ValueError):
            degrees = math.nan
        if not (math.isfinite(degrees) and degrees > 0):
            raise FernnError(f"Rotation(degrees={self.degrees!r}): expected degrees per frame, a positive number.")
        object.__setattr__(self, "degrees", degrees)

    @classmethod
    def parse(cls, name: str, degrees: float = 10.0) -> "Rotation":
        """Read a name such as "V2R" (V_2^R).

        Raises:
            FernnError: if the name has another form.
        """
        return cls(reach(name, "R"), degrees)

    @classmethod
    def of(cls, flow: "Rotation | str", degrees: float = 10.0) -> "Rotation":
        """A flow, given itself or its name; `degrees` holds for a name.

        Raises:
            FernnError: if it is neither.
        """
        if isinstance(flow, str):
            return cls.parse(flow, degrees)
        if not isinstance(flow, Rotation):
            raise FernnError(f"expected a {cls.__name__} or its name, such as {cls(2).name!r}; found {flow!r}.")
        return flow

    @property
    def name(self) -> str:
        """The name used in params.yaml and in file names, such as "V2R"."""
        return f"V{self.k}R"

    @cached_property
    def generators(self) -> tuple[float, ...]:
        """The angular velocities of V in degrees per frame, rising."""
        return tuple(step * self.degrees for step in range(-self.k, self.k + 1))

    def __len__(self) -> int:
        return 2 * self.k + 1

    def turns(self, order: int) -> tuple[int, ...]:
        """Each generator in steps of the group C_order: how far it rolls the orientation axis in one frame.

        Raises:
            FernnError: if it turns, and `degrees` is no whole number of the group's steps.
        """
        step = self.degrees * order / 360
        if self.k and abs(step - round(step)) > 1e-6:
            raise FernnError(
                f"{self!r} turns by {self.degrees:g} degrees per frame, but the group C_{order} has steps of "
                f"{360 / order:g} degrees: choose degrees a multiple of that, or another group order."
            )
        return tuple(round(step) * multiple for multiple in range(-self.k, self.k + 1))

    def move(self, maps: Tensor, time: int, order: int = 1) -> Tensor:
        """Apply psi_t(nu) to the map of each generator.

        Args:
            maps: (B, V, C, H, W), or (B, 1, C, H, W) for one map that every generator is to move.
            time: t in frames.
            order: 1 for images. N for feature maps of the regular representation of C_N, channels (field,
                orientation) as in escnn: their orientation axis rolls along.

        Returns:
            (B, V, C, H, W). Differentiable.

        Raises:
            FernnError: if the second axis holds neither one map nor one for each generator, the channels are no
                multiple of `order`, a turn is no element of C_N, or t is no whole number.
        """
        check_time(time)
        if (whole(order) or 0) < 1:
            raise FernnError(
                f"{self!r}.move(order={order!r}): expected N of a group C_N, a whole number of at least 1."
            )
        if maps.ndim != 5 or maps.shape[1] not in (1, len(self)) or maps.shape[2] % order:
            raise FernnError(
                f"{self!r}.move got maps of shape {tuple(maps.shape)}: expected "
                f"(batch, {len(self)} or 1, channels, height, width), channels a multiple of {order}."
            )
        every = maps.expand(-1, len(self), -1, -1, -1)
        moved = [rotate(every[:, i], time * degrees) for i, degrees in enumerate(self.generators)]
        if order > 1:
            turns = self.turns(order)
            moved = [m.unflatten(1, (-1, order)).roll(time * turns[i], 2).flatten(1, 2) for i, m in enumerate(moved)]
        return torch.stack(moved, 1)


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
    batch, channels, height, width = maps.shape
    rows = maps.permute(0, 2, 3, 1).reshape(-1, channels)
    forth, back = (_of_batch(taps, batch, height * width) for taps in _taps(degrees, height, width, maps.device))
    turned: Tensor = _Gather.apply(rows, *forth, *back)
    return turned.view(batch, height, width, channels).permute(0, 3, 1, 2)


Taps = tuple[Tensor, Tensor, Tensor]  # a sparse matrix by rows: sources, where each row starts, weights


class _Gather(torch.autograd.Function):
    """A sparse map of rows whose gradient is the gather by its transpose."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, *taps: Tensor) -> Tensor:
        ctx.save_for_backward(*taps[3:])
        return _gather(rows, *taps[:3])

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        return _gather(gradient.contiguous(), *ctx.saved_tensors), *(None,) * 6


def _gather(rows: Tensor, sources: Tensor, starts: Tensor, weights: Tensor) -> Tensor:
    return F.embedding_bag(sources, rows, starts, mode="sum", per_sample_weights=weights.to(rows.dtype))


def _of_batch(taps: Taps, batch: int, pixels: int) -> Taps:
    """The map of one image, for `batch` images whose pixels follow each other."""
    sources, starts, weights = taps
    number = torch.arange(batch, device=sources.device, dtype=sources.dtype).unsqueeze(1)
    every = (sources + number * pixels).flatten(), (starts + number * sources.numel()).flatten()
    return *every, weights.repeat(batch)


@kept(512)
def _taps(degrees: float, height: int, width: int, device: torch.device) -> tuple[Taps, Taps]:
    """The map of pixels that turns an image, and its transpose."""
    target, source, weight = _bilinear(degrees, height, width)
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


def _bilinear(degrees: float, height: int, width: int) -> Terms:
    """Target pixel, source pixel and weight of every term."""
    cos, sin = _cos_sin(degrees)
    y, x = np.divmod(np.arange(height * width), width)
    dy, dx = y - (height - 1) / 2, x - (width - 1) / 2
    from_x, from_y = cos * dx - sin * dy + (width - 1) / 2, sin * dx + cos * dy + (height - 1) / 2
    left, top = np.floor(from_x).astype(np.int64), np.floor(from_y).astype(np.int64)
    terms = []
    for column, in_x in ((left, left + 1 - from_x), (left + 1, from_x - left)):
        for row, in_y in ((top, top + 1 - from_y), (top + 1, from_y - top)):
            weight = in_x * in_y
            inside = (column >= 0) & (column < width) & (row >= 0) & (row < height) & (weight > NEGLIGIBLE)
            terms.append((np.flatnonzero(inside), (row * width + column)[inside], weight[inside]))
    target, source, weight = (np.concatenate(parts) for parts in zip(*terms, strict=True))
    return target, source, weight


def _cos_sin(degrees: float) -> tuple[float, float]:
    """Exact at quarter turns."""
    if degrees % 90 == 0:
        return ((1.0, 0.0), (0.0, 1.0), (-1.0, 0.0), (0.0, -1.0))[int(degrees // 90) % 4]
    return math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
