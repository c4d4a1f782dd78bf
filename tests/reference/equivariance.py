"""How far the rotation cell is from exact flow equivariance."""

import torch
import torch.nn.functional as F
from torch import Tensor

from fernn.flows.rotation import rotate
from fernn.models.rotation.cell import RotationCell
from tests.reference.rotation import turned


def blobs(side: int, frames: int) -> Tensor:
    """A smooth random image within a disk, which turns by 15 degrees per frame: (1, T, 1, side, side) float64."""
    noise = torch.randn(1, 1, side, side, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    window = torch.exp(-(torch.arange(-6, 7, dtype=torch.float64) ** 2) / 8)
    smooth = F.conv2d(noise, (window / window.sum()).view(1, 1, 1, 13), padding=(0, 6))
    smooth = F.conv2d(smooth, (window / window.sum()).view(1, 1, 13, 1), padding=(6, 0))
    away = torch.arange(side, dtype=torch.float64) - (side - 1) / 2
    radius = (away.view(-1, 1) ** 2 + away.view(1, -1) ** 2).sqrt()
    image = smooth * torch.sigmoid(0.3 * side - radius)
    return torch.stack([rotate(image, 15.0 * t) for t in range(frames)], 1)


@torch.no_grad()
def flow_error(cell: RotationCell, frames: Tensor, step: int) -> list[float]:
    """|h'_t(nu) - psi_{t-1}(nu_hat).h_t(nu - nu_hat)| over |psi_{t-1}(nu_hat).h_t(nu - nu_hat)|, t = 1 ... T.

    Args:
        cell: with its generators V.
        frames: f, (B, T, channels, side, side); f' is f moved by nu_hat.
        step: nu_hat as a multiple of the flow's degrees. The norms run over all nu for which nu - nu_hat is in V.
    """
    flow, order = cell.flow, cell.order
    still, turning, errors = None, None, []
    for t, frame in enumerate(frames.unbind(1)):
        still, turning = cell(frame, still), cell(turned(frame, t * step * flow.degrees), turning)
        relabelled = still.lab()[:, : len(flow) - step]
        angle, roll = (t * step * each for each in (flow.degrees, round(flow.degrees * order / 360)))
        fields = turned(relabelled.flatten(0, 1), angle).unflatten(1, (-1, order))
        expected = fields.roll(roll, 2).flatten(1, 2).view_as(relabelled)
        errors.append(((turning.lab()[:, step:] - expected).norm() / expected.norm()).item())
    return errors
