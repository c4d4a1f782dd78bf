"""The paper's claim, as a property of random flows, inputs and weights.

Move the input by psi(nu_hat), so that frame f_t becomes psi_t(nu_hat).f_t, t = 0, 1, ... With h_0 = 0 and

    h_{t+1}(nu) = act( W * psi_1(nu).h_t(nu) + U * f_t )

the state after t >= 1 frames becomes psi_{t-1}(nu_hat).h_t(nu - nu_hat), for nu and nu - nu_hat both in V: it moves as
far as the last frame that it has seen. By induction, since psi_1(nu) psi_{t-1}(nu_hat) = psi_t(nu_hat)
psi_1(nu - nu_hat), and convolutions and activations commute with shifts.

The rule is about what a cell sees. It says nothing about frames that a predictor feeds back to itself: the last seen
frame is given twice, and the readout of h_t, which stands where frame t-1 does, is given as frame t.
"""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from fernn.models import FERNNCell, FERNNPredictor, GRNNPredictor
from tests.closeness import DTYPES, assert_close, relative_error
from tests.models.random_models import Problem, problems
from tests.reference.translation import moved

Generator = tuple[int, int]


def along(frames: Tensor, nu_hat: Generator) -> Tensor:
    """psi_t(nu_hat).f_t for all frames (B, T, C, H, W)."""
    return torch.stack([moved(frame, nu_hat, t) for t, frame in enumerate(frames.unbind(1))], 1)


def states_of(cell: FERNNCell, frames: Tensor) -> list[Tensor]:
    """h_1 ... h_T, each (B, V, C, H, W)."""
    state, states = None, []
    for frame in frames.unbind(1):
        state = cell(frame, state)
        states.append(state.lab())
    return states


def assert_flow_equivariant(cell: FERNNCell, frames: Tensor, nu_hat: Generator) -> None:
    """Every state of the moved input is the moved and relabelled state of the input."""
    index = {nu: i for i, nu in enumerate(cell.flow.generators)}
    still, moving = states_of(cell, frames), states_of(cell, along(frames, nu_hat))
    for t, (h, found) in enumerate(zip(still, moving, strict=True), 1):
        for nu, i in index.items():
            relabelled = nu[0] - nu_hat[0], nu[1] - nu_hat[1]
            if relabelled in index:
                expected = moved(h[:, index[relabelled]], nu_hat, t - 1)
                assert_close(found[:, i], expected, f"h_{t}{nu} of the input moved by {nu_hat}")


@pytest.mark.parametrize("activation", ["relu", "tanh"])
@pytest.mark.parametrize("dtype", DTYPES)
@given(problem=problems(k=(1, 2), sides=(3, 7), seen=(1, 5)), data=st.data())
def test_hidden_states_move_with_the_input(dtype, activation, problem, data):
    speeds = st.integers(-2 * problem.k, 2 * problem.k)  # nu and nu - nu_hat can both be in V
    nu_hat = data.draw(speeds), data.draw(speeds)
    cell = problem.model(dtype).cell
    cell.activation = activation
    assert_flow_equivariant(cell, problem.frames(dtype), nu_hat)


@pytest.mark.parametrize("dtype", DTYPES)
@given(problem=problems(k=(0,), sides=(5, 7), seen=(2, 4)), data=st.data())
def test_the_grnn_violates_it(dtype, problem, data):
    """The G-RNN's h_t(0) is nowhere near psi_{t-1}(nu_hat).h_t(0); a FERNN of the same weights keeps the rule."""
    speeds = st.integers(-2, 2)
    nu_hat = data.draw(st.tuples(speeds, speeds).filter(any))
    grnn, fernn = problem.model(dtype), problem.model(dtype, k=2)
    for cell in (grnn.cell, fernn.cell):
        cell.activation = "tanh"  # with ReLU a small random map may be zero as a whole
        cell.W.weight.data.mul_(3)
    frames = problem.frames(dtype)
    still, moving = states_of(grnn.cell, frames), states_of(grnn.cell, along(frames, nu_hat))
    assert_close(moving[0], still[0], "h_1, whose only frame did not move yet")
    assert relative_error(moving[-1], moved(still[-1], nu_hat, len(still) - 1)) > 0.1
    assert_flow_equivariant(fernn.cell, frames, nu_hat)


@pytest.mark.parametrize("dtype", DTYPES)
@given(problem=problems(k=(1, 2), seen=(1, 5)), data=st.data())
def test_readout_moves_with_the_input_where_v_is_a_group(dtype, problem, data):
    """On a torus of side 2k+1, V_k holds every shift: relabelling permutes it, and max over V does not change."""
    side = 2 * problem.k + 1
    nu_hat = data.draw(st.integers(-side, side)), data.draw(st.integers(-side, side))
    problem = Problem(**{**vars(problem), "height": side, "width": side})
    model, frames = problem.model(dtype), problem.frames(dtype)
    still, moving = None, None
    for t, (frame, other) in enumerate(zip(frames.unbind(1), along(frames, nu_hat).unbind(1), strict=True)):
        still, moving = model.cell(frame, still), model.cell(other, moving)
        assert_close(moving.max(), moved(still.max(), nu_hat, t), f"max over V of h_{t + 1}")
        assert_close(model.decoder(moving.max()), moved(model.decoder(still.max()), nu_hat, t), "readout")


@pytest.mark.parametrize("k", [1, 2])
def test_readout_does_not_move_where_v_is_cut_off(k):
    """On a larger torus some nu - nu_hat fall outside of V, and max over V feels it."""
    problem = Problem(k, 3, 9, 8, 2, 1, 4, 1, seen=4, steps=0, seed=3)
    model, frames = problem.model(torch.float64), problem.frames(torch.float64)
    model.cell.W.weight.data.mul_(3)
    still, moving = states_of(model.cell, frames)[-1], states_of(model.cell, along(frames, (1, 0)))[-1]
    assert_flow_equivariant(model.cell, frames, (1, 0))
    assert relative_error(moving.max(1).values, moved(still.max(1).values, (1, 0), 3)) > 0.02


@pytest.mark.parametrize("dtype", DTYPES)
@given(problem=problems(), shift=st.tuples(st.integers(-7, 7), st.integers(-7, 7)))
def test_every_model_is_equivariant_to_static_shifts(dtype, problem, shift):
    model, frames = problem.model(dtype), problem.frames(dtype)
    predicted, states = model(frames, problem.steps, return_states=True)
    shifted, shifted_states = model(moved(frames, shift, 1), problem.steps, return_states=True)
    assert_close(shifted, moved(predicted, shift, 1), "predictions")
    assert_close(shifted_states, moved(states, shift, 1), "hidden states")


def test_grnn_is_the_model_of_v0():
    torch.manual_seed(0)
    grnn = GRNNPredictor(hidden_channels=3, decoder_layers=1)
    torch.manual_seed(0)
    fernn = FERNNPredictor("V0T", hidden_channels=3, decoder_layers=1)
    frames = torch.randn(2, 3, 1, 6, 6)
    assert torch.equal(grnn(frames, 2), fernn(frames, 2))


@pytest.mark.parametrize("k", [0, 1, 2])
def test_parameters_do_not_depend_on_v(k):
    """739,584 at the paper's size, for all models of experiment A."""
    assert sum(p.numel() for p in FERNNPredictor(f"V{k}T").parameters()) == 739_584
