"""The library's one implementation equals the paper's equations, computed step by step in the lab frame."""

import pytest
import torch
from hypothesis import given

from fernn.flows.translation import Translation
from fernn.models import FERNNPredictor
from fernn.models.ops import max_over_flow, moving_step
from fernn.models.precision import autocast
from fernn.models.rotation.cell import max_over
from tests.closeness import DTYPES, assert_close, relative_error
from tests.models.random_models import Problem, problems
from tests.reference import translation as plain


@pytest.mark.parametrize("dtype", DTYPES)
@given(problem=problems())
def test_predictions_and_states(dtype, problem):
    model, frames = problem.model(dtype), problem.frames(dtype)
    predicted, states = model(frames, problem.steps, return_states=True)
    expected, expected_states = plain.PlainPredictor(model)(frames, problem.steps, return_states=True)
    assert predicted.dtype == dtype
    assert_close(states, expected_states, "hidden states")
    assert_close(predicted, expected, "predictions")
    assert torch.equal(model(frames, problem.steps), predicted), "asking for states changes the predictions"


@given(problem=problems(steps=(1, 3)))
def test_gradients(problem):
    """In float64, where no rounding can move a value across the kink of ReLU or change the winner of the max."""
    model = problem.model(torch.float64)
    reference = plain.PlainPredictor(model)
    ours, theirs = (problem.frames(torch.float64).requires_grad_() for _ in range(2))
    torch.manual_seed(problem.seed)
    predicted, states = model(ours, problem.steps, return_states=True)
    weigh, weigh_states = torch.randn_like(predicted), torch.randn_like(states)
    ((predicted * weigh).sum() + (states * weigh_states).sum()).backward()
    predicted, states = reference(theirs, problem.steps, return_states=True)
    ((predicted * weigh).sum() + (states * weigh_states).sum()).backward()
    assert_close(ours.grad, theirs.grad, "gradient of the frames")
    for (name, found), expected in zip(model.named_parameters(), reference.parameters(), strict=True):
        assert_close(found.grad, expected.grad, f"gradient of {name}")


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("seen", "steps"), [(30, 3), (2, 30)])
def test_rollout_longer_than_the_period_of_the_torus(dtype, seen, steps):
    """A torus of 3x4 repeats after 12 steps."""
    problem = Problem(2, 3, 3, 4, 1, 1, 2, 1, seen, steps, seed=5)
    model = problem.model(dtype)
    with torch.no_grad():
        for weight in model.parameters():  # positive kernels that keep the mean: no state dies out
            weight.abs_().div_(weight.sum((1, 2, 3), keepdim=True))
        frames = problem.frames(dtype).abs()
        predicted, states = model(frames, steps, return_states=True)
        expected, expected_states = plain.PlainPredictor(model)(frames, steps, return_states=True)
    assert expected[:, -1].norm() > 1e-2
    assert_close(states, expected_states, "hidden states")
    assert_close(predicted, expected, "predictions")


@pytest.mark.parametrize("k", [0, 1, 2])
def test_bf16_stays_near_float32(k):
    problem = Problem(k, 3, 8, 7, 2, 1, 16, 2, seen=3, steps=3, seed=1)
    model, frames = problem.model(torch.float32), problem.frames(torch.float32)
    reference = plain.PlainPredictor(model)
    with autocast(torch.device("cpu"), "bf16"):
        predicted, states = model(frames, problem.steps, return_states=True)
    expected, expected_states = reference(frames, problem.steps, return_states=True)
    assert predicted.dtype == states.dtype == torch.bfloat16
    assert_close(states, expected_states, "hidden states")
    assert_close(predicted, expected, "predictions")
    predicted.float().square().mean().backward()
    expected.square().mean().backward()
    for (name, found), wanted in zip(model.named_parameters(), reference.parameters(), strict=True):
        assert found.grad.dtype == torch.float32
        assert relative_error(found.grad, wanted.grad) < 0.1, f"gradient of {name}"  # sums of both signs


def assert_derivatives(function, *inputs):
    """The first and second derivatives are those of finite differences."""
    assert torch.autograd.gradcheck(function, inputs)
    assert torch.autograd.gradgradcheck(function, inputs, fast_mode=True)


@pytest.mark.parametrize("activation", ["relu", "tanh"])
@pytest.mark.parametrize("kernel", [1, 3, 5])
def test_derivative_of_the_step(activation, kernel):
    torch.manual_seed(0)
    p, flow = kernel // 2, Translation(1)
    maps = torch.randn(2 * len(flow), 2, 4 + 2 * p, 3 + 2 * p, dtype=torch.float64, requires_grad=True)
    drive = torch.randn(2, 2, 4, 3, dtype=torch.float64, requires_grad=True)
    W = torch.randn(2, 2, kernel, kernel, dtype=torch.float64, requires_grad=True)
    assert_derivatives(lambda *inputs: moving_step(*inputs, activation, flow, 2), maps, drive, W)


@pytest.mark.parametrize("border", [0, 1, 2])
@pytest.mark.parametrize("time", [0, 3, -8])
def test_derivative_of_the_max(border, time):
    torch.manual_seed(0)
    flow = Translation(1)
    maps = torch.randn(2 * len(flow), 2, 3 + 2 * border, 4 + 2 * border, dtype=torch.float64, requires_grad=True)
    assert_derivatives(lambda maps: max_over_flow(maps, flow, time, border), maps)


def test_any_number_of_generators_may_win():
    """The number of the winner is kept as small as it can be; V_91^T has 33,489, more than two bytes with a sign."""
    flow = Translation(91)
    maps = torch.zeros(len(flow), 1, 2, 1, requires_grad=True)
    with torch.no_grad():
        maps[-1, 0, 0], maps[-2, 0, 1] = 1, 1
    max_over_flow(maps, flow, 0, 0).sum().backward()
    assert torch.equal(maps.grad, maps.detach())
    turned = tuple(torch.full((1, 1, 1, 1), float(number == 256), requires_grad=True) for number in range(300))
    max_over(turned).sum().backward()
    assert [each.grad.item() for each in turned] == [float(number == 256) for number in range(300)]


@pytest.mark.parametrize("held", [1, 9])
def test_derivative_of_the_move(held):
    torch.manual_seed(0)
    maps = torch.randn(2, held, 2, 3, 4, dtype=torch.float64, requires_grad=True)
    assert_derivatives(lambda maps: Translation(1).move(maps, -5), maps)


def test_training_after_inference_mode():
    """Indices that were first made while gradients were off serve when they are on."""
    model = FERNNPredictor("V1T", hidden_channels=2, decoder_layers=0)
    frames = torch.randn(1, 3, 1, 11, 13)  # a size that no other test has
    with torch.inference_mode():
        without = model(frames, 2)
    predicted = model(frames, 2)
    predicted.square().mean().backward()
    assert torch.equal(predicted, without)
    assert all(weight.grad is not None for weight in model.parameters())
