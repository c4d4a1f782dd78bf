"""On every device the hidden states move with the input."""

import pytest
import torch

from fernn.flows import Rotation, Translation
from fernn.models import FERNNCell, RotationCell
from tests.models.rotation.test_equivariance import ROUNDING
from tests.models.test_equivariance import assert_flow_equivariant
from tests.reference.equivariance import blobs, flow_error


@pytest.mark.parametrize("activation", ["relu", "tanh"])
@pytest.mark.parametrize("nu_hat", [(1, 0), (-2, 1)])
def test_translations(nu_hat, activation, device):
    cell = FERNNCell(Translation(2), 1, 4, activation=activation).to(device)
    assert_flow_equivariant(cell, torch.randn(2, 5, 1, 7, 6).to(device), nu_hat)


@pytest.mark.parametrize("frame", ["lab", "co-moving"])
@pytest.mark.parametrize("convolution", ["steerable", "dense"])
def test_quarter_turns(convolution, frame, device):
    cell = RotationCell(Rotation(2, 90), 1, 2, 12, 3, convolution, frame).to(device)
    assert max(flow_error(cell, blobs(20, 5).float().to(device), 90.0)) < ROUNDING[torch.float32]
