"""The library's rotation model equals the paper's equations, computed with escnn and grid_sample step by step."""

import pytest
import torch
from hypothesis import given, settings

from fernn.models.precision import autocast
from tests.closeness import assert_close, relative_error
from tests.models.rotation.random_models import Problem, problems
from tests.reference.rotation import PlainRotationPredictor

CLOSE = 1e-5  # in float64 too: escnn samples its filters in float32


@pytest.mark.parametrize("convolution", ["steerable", "dense"])
@settings(max_examples=25, deadline=None)
@given(problem=problems())
def test_predictions_states_and_gradients(convolution, problem):
    """In float64, where no rounding can move a value across the kink of ReLU or change the winner of the max."""
    model = problem.model(torch.float64, convolution=convolution)
    plain = PlainRotationPredictor(model).double()
    frames = problem.frames(torch.float64)
    predicted, states = model(frames, problem.steps, return_states=True)
    expected, expected_states = plain(frames, problem.steps, return_states=True)
    assert relative_error(states, expected_states) < CLOSE
    assert relative_error(predicted, expected) < CLOSE
    torch.manual_seed(problem.seed)
    weigh, weigh_states = torch.randn_like(predicted), torch.randn_like(states)
    ((predicted * weigh).sum() + (states * weigh_states).sum()).backward()
    ((expected * weigh).sum() + (expected_states * weigh_states).sum()).backward()
    for (name, found), wanted in zip(model.named_parameters(), plain.parameters(), strict=True):
        # of the first frame alone, W has no part in the state
        gradient = torch.zeros_like(found) if found.grad is None else found.grad
        if wanted.grad is not None:
            assert relative_error(gradient, wanted.grad) < CLOSE, f"gradient of {name}"


@settings(max_examples=10, deadline=None)
@given(problem=problems(orders=(4,), sides=(5, 7)))
def test_the_frames_agree_for_quarter_turns(problem):
    frames = problem.frames(torch.float64)
    lab, co_moving = (problem.model(torch.float64, frame=frame) for frame in ("lab", "co-moving"))
    found, states = co_moving(frames, problem.steps, return_states=True)
    expected, expected_states = lab(frames, problem.steps, return_states=True)
    assert relative_error(states, expected_states) < CLOSE
    assert relative_error(found, expected) < CLOSE


def test_the_frames_are_two_networks_for_other_turns():
    problem = Problem(k=2, order=12, fields=2, kernel=3, layers=1, side=9, batch=1, seen=3, steps=2, seed=0)
    frames = problem.frames(torch.float64)
    lab, co_moving = (problem.model(torch.float64, frame=frame)(frames, 2) for frame in ("lab", "co-moving"))
    assert 1e-3 < relative_error(co_moving, lab) < 1


def test_bf16_stays_near_float32():
    problem = Problem(k=2, order=12, fields=4, kernel=3, layers=1, side=9, batch=2, seen=3, steps=2, seed=1)
    model, frames = problem.model(torch.float32), problem.frames(torch.float32)
    with autocast(torch.device("cpu"), "bf16"):
        predicted = model(frames, 2)
    assert_close(predicted, model(frames, 2), "predictions")
    predicted.float().square().mean().backward()
    found = {name: parameter.grad.clone() for name, parameter in model.named_parameters()}
    model.zero_grad()
    model(frames, 2).square().mean().backward()
    for name, parameter in model.named_parameters():
        assert relative_error(found[name], parameter.grad) < 0.1, name
