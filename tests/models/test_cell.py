import pytest
import torch

from fernn.models import FERNNPredictor


@pytest.fixture
def model() -> FERNNPredictor:
    torch.manual_seed(0)
    return FERNNPredictor("V1T", hidden_channels=3, decoder_layers=1)


def test_cell_used_step_by_step_is_the_predictor(model):
    frames = torch.randn(2, 3, 1, 5, 6)
    predicted, states = model(frames, 2, return_states=True)
    state, inputs, readouts = None, [*frames.unbind(1), frames[:, -1]], []
    for t in range(5):
        frame = inputs[t] if t < 4 else readouts[-1].detach()
        state = model.cell(frame, state)
        assert state.time == t + 1
        assert torch.equal(state.lab(), states[:, t])
        assert torch.equal(state.max(), states[:, t].max(1).values)
        if t >= 3:
            readouts.append(model.decoder(state.max()))
    assert torch.equal(torch.stack(readouts, 1), predicted)


def test_a_state_can_be_kept_and_taken_up_again(model):
    first, left, right = torch.randn(3, 2, 1, 5, 6).unbind(0)
    state = model.cell(left, model.cell(first))
    before = state.lab().clone()
    once = model.cell(right, state).lab()
    model.cell(left, state)
    assert torch.equal(state.lab(), before)
    assert torch.equal(model.cell(right, state).lab(), once)


def test_predictions_feed_back_without_gradient(model):
    """Only the kernels' own uses carry gradient: the frames that follow do not reach back through a prediction."""
    frames = torch.randn(1, 2, 1, 5, 5)
    later = model(frames, 3)
    (alone,) = torch.autograd.grad(later[:, 2].sum(), model.decoder[-1].weight)
    _, states = model(frames, 3, return_states=True)
    (direct,) = torch.autograd.grad(model.decoder(states[:, 4].detach().max(1).values).sum(), model.decoder[-1].weight)
    assert torch.allclose(alone, direct)
