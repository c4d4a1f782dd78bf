"""Flow equivariance under rotations: exact for quarter turns, bounded for others.

Move the input by psi(nu_hat), so that frame f_t becomes psi_t(nu_hat).f_t, t = 0, 1, ... The state after t >= 1 frames
becomes psi_{t-1}(nu_hat).h_t(nu - nu_hat), for nu and nu - nu_hat both in V. Pixels know quarter turns only; for other
angles interpolation and the 3x3 filters miss by some percent, and anything wrong misses by far more.
"""

import pytest
import torch
from torch import Tensor

from fernn.flows.rotation import Rotation, rotate
from fernn.models import RotationCell
from fernn.models.rotation import cell as cell_module
from tests.closeness import DTYPES
from tests.reference.equivariance import blobs, flow_error

ROUNDING = {torch.float32: 2e-6, torch.float64: 1e-6}  # escnn samples its filters in float32
BOUND = 0.18  # relative; a test below makes sure that what is wrong misses by more


def error(order: int, degrees: float, frame: str, dtype: torch.dtype = torch.float64, convolution="steerable") -> float:
    torch.manual_seed(0)
    cell = RotationCell(Rotation(2, degrees), 1, 2, order, 3, convolution, frame).to(dtype)
    return max(flow_error(cell, blobs(20, 5).to(dtype), degrees))


@pytest.mark.parametrize("frame", ["lab", "co-moving"])
@pytest.mark.parametrize("convolution", ["steerable", "dense"])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("order", [4, 12, 36])
def test_quarter_turns_at_rounding(order, dtype, convolution, frame):
    assert error(order, 90, frame, dtype, convolution) < ROUNDING[dtype]


@pytest.mark.parametrize("frame", ["lab", "co-moving"])
@pytest.mark.parametrize(("order", "degrees"), [(8, 45), (12, 30), (36, 10), (36, 40)])
def test_other_angles_within_a_bound(order, degrees, frame):
    assert error(order, degrees, frame) < BOUND


def off_centre(maps: Tensor, degrees: float) -> Tensor:
    """A turn about a point half a pixel beside the centre."""
    padded = torch.nn.functional.pad(maps, (0, 1, 0, 1))
    return rotate(padded, degrees)[..., :-1, :-1]


@pytest.mark.parametrize("frame", ["lab", "co-moving"])
@pytest.mark.parametrize("wrong", ["sign", "centre", "roll", "no roll"])
def test_the_bound_notices(wrong, frame, monkeypatch):
    turns = Rotation.turns
    if wrong == "sign":
        monkeypatch.setattr(cell_module, "rotate", lambda maps, degrees: rotate(maps, -degrees))
    elif wrong == "centre":
        monkeypatch.setattr(cell_module, "rotate", off_centre)
    else:
        factor = {"roll": -1, "no roll": 0}[wrong]
        monkeypatch.setattr(Rotation, "turns", lambda flow, order: tuple(factor * turn for turn in turns(flow, order)))
    assert error(36, 40, frame) > 1.3 * BOUND


def test_the_grnn_violates_it():
    """Its h_t(0) is nowhere near psi_{t-1}(nu_hat).h_t(0), even for quarter turns."""
    torch.manual_seed(0)
    cell = RotationCell(Rotation(0, 90), 1, 2, 12)
    images = blobs(20, 5).float()
    moved = torch.stack([rotate(frame, 90 * t) for t, frame in enumerate(images.unbind(1))], 1)
    still = turning = None
    for frame, other in zip(images.unbind(1), moved.unbind(1), strict=True):
        still, turning = cell(frame, still), cell(other, turning)
    expected = Rotation(1, 90).move(still.lab().expand(-1, 3, -1, -1, -1), 4, 12)[:, 2]
    assert ((turning.lab()[:, 0] - expected).norm() / expected.norm()) > 0.1
