import pytest
import torch

from fernn.evaluation.growth import recurrence_growth, rollout_growth
from fernn.flows import Rotation
from fernn.models import FERNNPredictor, RotationPredictor

FRAMES = torch.rand(3, 4, 1, 8, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def linear(W: float, U: float, decoder: float) -> FERNNPredictor:
    """A predictor of one channel whose kernels scale each pixel."""
    model = FERNNPredictor("V0T", hidden_channels=1, decoder_layers=0).double()
    for layer, factor in ((model.cell.W, W), (model.cell.U, U), (model.decoder[0], decoder)):
        torch.nn.init.dirac_(layer.weight).data.mul_(factor)
    return model


@pytest.mark.parametrize(("W", "U", "decoder"), [(0.9, 0.5, 0.3), (1.05, 0.5, 0.3), (0.5, 1.0, 1.2)])
def test_growth_of_kernels_that_scale(W, U, decoder):
    """h -> W h without frames, and h -> (W + U decoder) h in the closed loop."""
    model = linear(W, U, decoder)
    assert recurrence_growth(model, FRAMES) == pytest.approx(W)
    assert rollout_growth(model, FRAMES) == pytest.approx(W + U * decoder)


def test_a_state_that_vanishes():
    assert recurrence_growth(linear(0.0, 1.0, 1.0), FRAMES) == 0


def test_rotations():
    model = RotationPredictor(Rotation(1, 90), fields=1, group_order=4, decoder_layers=0).double()
    assert 0 < recurrence_growth(model, FRAMES, 30) < 10
    assert 0 < rollout_growth(model, FRAMES, 30) < 10
