"""On every device the models do what the released code does: the reference vectors, in IEEE float32."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from fernn.compat import load_released
from tests.closeness import relative_error
from tests.models import test_kth_parity as kth
from tests.models import test_parity as translating
from tests.models.rotation import test_parity as rotating


def assert_close(found: Tensor, expected: Tensor, allowed: float) -> None:
    error = relative_error(found.cpu(), expected.cpu())
    assert error <= allowed, f"relative error {error:.2e}, allowed {allowed:.0e}"


@pytest.mark.parametrize("k", [0, 1, 2])
def test_translating(k, device):
    golden = translating.Golden(k)
    model = load_released(golden.weights, "translating", golden.flow).to(device)
    predicted, states = model(golden["x"].to(device), golden["y"].shape[1], return_states=True)
    loss = F.mse_loss(predicted, golden["target"].to(device))
    loss.backward()
    assert_close(loss, golden["loss"], 1e-5)
    assert_close(predicted, golden["y"], 1e-5)
    assert_close(states, torch.cat([golden["h_in"], golden["h_out"]], 1), 1e-5)
    expected = load_released(golden.group("g."), "translating", golden.flow)
    for weight, wanted in zip(model.parameters(), expected.parameters(), strict=True):
        assert_close(weight.grad, wanted, 1e-5)


@pytest.mark.parametrize("convolution", ["steerable", "dense"])
@pytest.mark.parametrize("k", [0, 2])
def test_rotating(k, convolution, device):
    golden = rotating.Golden(k)
    model = rotating.model_of(golden, convolution).to(device)
    steps = golden["y"].shape[1]
    predicted, states = model(golden["x"].to(device), steps, return_states=True)
    loss = predicted.square().mean()
    loss.backward()
    assert_close(loss, golden["loss"], rotating.STATED)
    assert_close(predicted, golden["y"], rotating.STATED)
    assert_close(states[:, -steps:], golden["h_out"], rotating.STATED)
    for name, weight in model.named_parameters():
        assert_close(weight.grad, golden[f"g.{rotating.released(name)}"], rotating.STATED)


@pytest.mark.parametrize("name", [*kth.RECURRENT, "3dcnn"])
def test_kth(name, device):
    """A training step, and the evaluation after it, by the running statistics that the step left."""
    golden = kth.Golden(name)
    model, clips = golden.model().to(device), golden["x"].to(device)
    logits = model(clips)
    loss = F.cross_entropy(logits, golden["label"].to(device))
    loss.backward()
    assert_close(logits, golden["logits_train"], kth.TOLERANCE)
    assert_close(loss, golden["loss"], kth.TOLERANCE)
    gradients, statistics = golden.renamed("g."), golden.renamed("after.")
    assert len(golden.group("g.")) == len([*model.parameters()])
    for weight, found in model.named_parameters():
        assert_close(found.grad, gradients[weight], kth.TOLERANCE)
    running = {each: buffer for each, buffer in model.named_buffers() if "running" in each}
    assert len(running) == len(golden.group("after."))
    for each, buffer in running.items():
        assert_close(buffer, statistics[each], kth.TOLERANCE)
    assert_close(model.eval()(clips), golden["logits_eval"], kth.TOLERANCE)
