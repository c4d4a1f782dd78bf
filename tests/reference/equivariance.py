"""How far a cell is from exact flow equivariance."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from fernn.flows.rotation import rotate


def blobs(side: int, frames: int, seed: int = 0) -> Tensor:
    """A smooth random image within a disk, which turns by 15 degrees per frame: (1, T, 1, side, side) float64."""
    noise = torch.randn(1, 1, side, side, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    window = torch.exp(-(torch.arange(-6, 7, dtype=torch.float64) ** 2) / 8)
    smooth = F.conv2d(noise, (window / window.sum()).view(1, 1, 1, 13), padding=(0, 6))
    smooth = F.conv2d(smooth, (window / window.sum()).view(1, 1, 13, 1), padding=(6, 0))
    away = torch.arange(side, dtype=torch.float64) - (side - 1) / 2
    radius = (away.view(-1, 1) ** 2 + away.view(1, -1) ** 2).sqrt()
    image = smooth * torch.sigmoid(0.3 * side - radius)
    return torch.stack([rotate(image, 15.0 * t) for t in range(frames)], 1)


@torch.no_grad()
def flow_error(
    cell: Any, frames: Tensor, nu_hat: Any, inside: Callable[[int, Any], bool] = lambda t, nu: True
) -> list[float]:
    """|h'_t(nu) - psi_{t-1}(nu_hat).h_t(nu - nu_hat)| over |psi_{t-1}(nu_hat).h_t(nu - nu_hat)|, t = 1 ... T.

    Args:
        cell: with its generators V.
        frames: f, (B, T, C, H, W); f' is f moved by nu_hat.
        nu_hat: a generator. The norms run over all nu for which nu - nu_hat is in V, and both are `inside` at t.
        inside: of a time and a generator.
    """
    flow, order = cell.flow, getattr(cell, "order", 1)
    V, still, moving, errors = list(flow.generators), None, None, []

    def moved(maps: Tensor, time: int) -> Tensor:
        """psi_time(nu_hat) of maps (B, C, H, W), orientations unchanged."""
        return flow.move(maps.unsqueeze(1), time)[:, V.index(nu_hat)]

    for t, frame in enumerate(frames.unbind(1)):
        still, moving = cell(frame, still), cell(moved(frame, t), moving)
        pairs = [(nu, flow.difference(nu, nu_hat)) for nu in V]
        own, other = zip(
            *((V.index(a), V.index(b)) for a, b in pairs if b is not None and inside(t + 1, a) and inside(t + 1, b)),
            strict=True,
        )
        relabelled = still.lab()[:, other]
        fields = moved(relabelled.flatten(0, 1), t).unflatten(1, (-1, order))
        turn = t * round(nu_hat * order / 360) if order > 1 else 0
        expected = fields.roll(turn, 2).flatten(1, 2).view_as(relabelled)
        errors.append(((moving.lab()[:, own] - expected).norm() / expected.norm()).item())
    return errors
