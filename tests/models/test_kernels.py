import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from fernn.errors import FernnError
from fernn.flows import Translation
from fernn.models import FERNNPredictor
from fernn.models.ops import circular_pad, max_over_flow
from fernn.models.storage import channels_last

ORDERS = [torch.contiguous_format, torch.channels_last]


@pytest.mark.parametrize("order", ORDERS)
@given(border=st.integers(0, 3), height=st.integers(1, 6), width=st.integers(1, 6))
def test_circular_padding_is_that_of_torch(order, border, height, width):
    border = min(border, height, width)
    maps = torch.randn(2, 3, height, width, dtype=torch.float64).contiguous(memory_format=order).requires_grad_()
    found = circular_pad(maps, border)
    assert torch.equal(found, F.pad(maps, (border,) * 4, mode="circular"))
    assert found.is_contiguous(memory_format=order) or height == width == 1  # where the orders are one
    assert torch.autograd.gradcheck(lambda given: circular_pad(given, border), maps)


def test_a_border_wider_than_the_maps():
    with pytest.raises(FernnError, match="2x5 pixels, smaller than the border, 3"):
        circular_pad(torch.zeros(1, 1, 2, 5), 3)


@pytest.mark.parametrize("time", [1, 2, 7])
@pytest.mark.parametrize("border", [0, 1, 2])
def test_the_maximum_is_taken_in_the_frame_of_the_input(time, border):
    """Each map moves on by its own velocity first."""
    flow = Translation(1)
    co_moving = torch.randn(2, len(flow), 3, 5, 6)
    found = max_over_flow(circular_pad(co_moving.flatten(0, 1), border), flow, time, border)
    moved = [co_moving[:, i].roll((time * vy, time * vx), (2, 3)) for i, (vx, vy) in enumerate(flow.generators)]
    assert torch.equal(found, torch.stack(moved).amax(0))


def test_the_decoder_never_turns_its_maps(monkeypatch):
    """A map with its channels first between two layers would be copied to and fro."""
    model = channels_last(FERNNPredictor("V1T", hidden_channels=4, decoder_layers=2))
    given, convolve = [], F.conv2d
    monkeypatch.setattr(F, "conv2d", lambda maps, *rest: given.append(maps) or convolve(maps, *rest))
    made: list[torch.Tensor] = []
    for layer in model.decoder:
        layer.register_forward_hook(lambda _module, _inputs, result: made.append(result))
    state = model.cell(torch.rand(2, 1, 6, 7))
    state = model.cell(torch.rand(2, 1, 6, 7), state)
    given.clear()
    model.decoder(state.max())
    assert len(given) == sum(isinstance(layer, nn.Conv2d) for layer in model.decoder) == 3
    assert all(maps.is_contiguous(memory_format=torch.channels_last) for maps in [*given, *made])
