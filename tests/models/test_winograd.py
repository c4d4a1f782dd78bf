"""The transformed convolution is the direct one."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from fernn.models import FERNNClassifier, FERNNPredictor, GRNNPlusClassifier, RotationPredictor, winograd
from fernn.models.ops import prepared
from tests.closeness import DTYPES, assert_close

ENOUGH = winograd.LEAST


def problem(
    count: int, inputs: int, outputs: int, rows: int, columns: int, dtype: torch.dtype
) -> tuple[Tensor, Tensor]:
    maps = torch.randn(count, inputs, rows + 2, columns + 2, dtype=dtype).to(memory_format=torch.channels_last)
    return maps, torch.randn(outputs, inputs, 3, 3, dtype=dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@given(
    count=st.integers(1, 5),
    channels=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    tiles=st.tuples(st.integers(1, 7), st.integers(1, 7)),
    together=st.integers(1, 60),
)
def test_result_and_gradients(dtype, count, channels, tiles, together):
    maps, W = problem(count, *channels, 4 * tiles[0], 4 * tiles[1], dtype)
    maps.requires_grad_(), W.requires_grad_()
    expected = F.conv2d(maps, W)
    gradient = torch.randn_like(expected)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(winograd, "TOGETHER", together)
        found = winograd.convolve(maps, winograd.transform(W))
        gradients = torch.autograd.grad(found, [maps, W], gradient)
    assert_close(found, expected, "result")
    assert found.is_contiguous(memory_format=torch.channels_last)
    for name, one, other in zip("xW", gradients, torch.autograd.grad(expected, [maps, W], gradient), strict=True):
        assert_close(one, other, f"gradient of {name}")


def test_rounding_at_the_paper_s_width():
    """Against float64: some 2e-6 where the direct convolution has 6e-7."""
    maps, W = problem(2, 128, 128, 28, 28, torch.float32)
    found, expected = winograd.correlate(maps, winograd.transform(W).U), F.conv2d(maps.double(), W.double())
    assert_close(found, expected.float(), "result")


@pytest.mark.parametrize("wanted", [(True, False), (False, True)])
def test_only_the_gradients_that_are_wanted(wanted):
    maps, W = problem(2, 3, 4, 8, 8, torch.float64)
    U = winograd.transform(W).U
    gradient = torch.randn(2, 4, 8, 8, dtype=torch.float64)
    found, whole = winograd.gradients(maps, U, gradient, *wanted), winograd.gradients(maps, U, gradient, True, True)
    assert [each is not None for each in found] == list(wanted)
    assert all(one is None or torch.equal(one, other) for one, other in zip(found, whole, strict=True))


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, True),
        ({"channels": ENOUGH - 1}, False),
        ({"side": 30}, False),
        ({"kernel": 5}, False),
        ({"dtype": torch.float64}, False),
        ({"dtype": torch.bfloat16}, False),
        ({"device": "meta"}, False),
    ],
)
def test_where_it_pays(change, expected):
    sizes = {"channels": ENOUGH, "side": 28, "kernel": 3, "dtype": torch.float32, "device": "cpu", **change}
    channels, side, kernel = sizes["channels"], sizes["side"], sizes["kernel"]
    convolution = nn.Conv2d(channels, channels, kernel, dtype=sizes["dtype"], device=sizes["device"])
    assert winograd.pays(convolution.weight, side, side) is expected
    assert (prepared(convolution, sizes["dtype"], side, side) is convolution.weight) is not expected


def test_it_can_be_left_out():
    W = torch.empty(ENOUGH, ENOUGH, 3, 3)
    with winograd.allowed(False):
        assert not winograd.pays(W, 28, 28)
        with winograd.allowed(True):
            assert winograd.pays(W, 28, 28)
    assert winograd.pays(W, 28, 28)


def predictor(flow: str) -> tuple[torch.nn.Module, tuple[Tensor, int]]:
    return FERNNPredictor(flow, hidden_channels=ENOUGH, decoder_layers=1), (torch.rand(2, 3, 1, 12, 16), 2)


def turning(flow: str) -> tuple[torch.nn.Module, tuple[Tensor, int]]:
    fields = -(-ENOUGH // 12)
    model = RotationPredictor(flow, degrees=30, fields=fields, group_order=12, decoder_layers=1, convolution="dense")
    return model, (torch.rand(2, 2, 1, 12, 12), 2)


def classifier(kind: type) -> tuple[torch.nn.Module, tuple[Tensor]]:
    return kind("V1T", stem_channels=(4, 8, ENOUGH)), (torch.rand(2, 4, 1, 12, 16),)


@pytest.mark.parametrize(
    ("make", "of"),
    [
        (predictor, "V0T"),
        (predictor, "V1T"),
        (turning, "V1R"),
        (classifier, FERNNClassifier),
        (classifier, GRNNPlusClassifier),
    ],
)
def test_whole_models(make, of, monkeypatch):
    """Outputs and gradients of all weights, with the transform and without it; and it is used at all."""
    model, inputs = make(of)
    used = []
    monkeypatch.setattr(winograd, "correlate", lambda *given, real=winograd.correlate: used.append(1) or real(*given))
    found = []
    for yes in (True, False):
        model.zero_grad()
        with winograd.allowed(yes):
            output = model(*inputs)
        output.square().mean().backward()
        found.append([output, *(weight.grad for weight in model.parameters())])
        assert bool(used) is yes
        used.clear()
    for one, other in zip(*found, strict=True):
        assert_close(one, other, "output or gradient")
