import pytest
import torch

from fernn.errors import FernnError
from fernn.flows.translation import Translation
from fernn.models import FERNNCell, FERNNClassifier, FERNNPredictor, GRNNPredictor, RotationPredictor


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


@pytest.mark.parametrize("steps", [0, 1])
def test_shapes(model, steps):
    predicted, states = model(torch.randn(2, 3, 1, 5, 6), steps, return_states=True)
    assert predicted.shape == (2, steps, 1, 5, 6)
    assert states.shape == (2, 3 + steps, 9, 3, 5, 6)


def test_with_flow_shares_the_weights(model):
    other = model.with_flow("V2T")
    frames = torch.randn(1, 2, 1, 6, 6)
    assert len(other.cell.flow) == 25
    assert other.config == {**model.config, "flow": "V2T"}
    assert not torch.equal(other(frames, 1), model(frames, 1))
    with torch.no_grad():
        model.cell.U.weight.zero_()
    assert other(frames, 1).count_nonzero() == 0
    assert torch.equal(other.with_flow("V1T")(frames, 1), model(frames, 1))


@pytest.mark.parametrize("kernel", [-1, 0, 2, 4])
def test_even_kernels(kernel):
    with pytest.raises(FernnError, match=f"kernel_size={kernel}.*(odd|at least 1)"):
        FERNNCell(Translation(1), kernel_size=kernel)


def test_unknown_activation():
    with pytest.raises(FernnError, match=r"activation='swish'.*relu, tanh"):
        FERNNCell(Translation(1), activation="swish")


@pytest.mark.parametrize("shape", [(1, 5, 5), (2, 2, 5, 5), (2, 1, 1, 5, 5)])
def test_frames_of_another_shape(model, shape):
    with pytest.raises(FernnError, match=r"expected \(batch >= 1, 1, height, width\)"):
        model.cell(torch.zeros(shape))


def test_frames_smaller_than_the_kernel():
    with pytest.raises(FernnError, match="1x9 pixels, smaller than the border of its kernel, 2"):
        FERNNCell(Translation(1), hidden_channels=2, kernel_size=5)(torch.zeros(1, 1, 1, 9))


def test_a_state_of_another_cell(model):
    state = model.with_flow("V2T").cell(torch.zeros(1, 1, 5, 5))
    with pytest.raises(FernnError, match=r"Translation\(k=1\), kernel 3, got a state of Translation\(k=2\), kernel 3"):
        model.cell(torch.zeros(1, 1, 5, 5), state)


@pytest.mark.parametrize("shape", [(2, 1, 5, 5), (2, 0, 1, 5, 5)])
def test_sequences_of_another_shape(shape):
    with pytest.raises(FernnError, match=r"GRNNPredictor got .*expected \(batch >= 1, time >= 1"):
        GRNNPredictor(hidden_channels=2)(torch.zeros(shape), 1)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int64, torch.bool])
@pytest.mark.parametrize(
    "model",
    [
        lambda: FERNNPredictor("V1T", hidden_channels=2, decoder_layers=1),
        lambda: RotationPredictor("V1R", 90, fields=1, group_order=4, decoder_layers=1),
        lambda: FERNNClassifier("V1T", (2, 3), (3, 3)),
    ],
    ids=["translation", "rotation", "classifier"],
)
def test_bytes_are_no_frames(model, dtype):
    network = model()
    steps = () if isinstance(network, FERNNClassifier) else (1,)
    with pytest.raises(FernnError, match=rf"got frames of {dtype}.*/ 255"):
        network(torch.ones(1, 2, 1, 6, 6, dtype=dtype), *steps)
