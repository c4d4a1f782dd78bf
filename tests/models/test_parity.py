"""Our model with the weights of a checkpoint of the released code does what the released code does."""

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from fernn.compat import load_released
from fernn.errors import FernnError
from tests.closeness import assert_close

GOLDEN = Path(__file__).parents[1] / "golden"


class Golden:
    """What the released code computed from random weights: float32, so equality is within 1e-5, by norms."""

    def __init__(self, k: int) -> None:
        with np.load(GOLDEN / f"translating_v{k}.npz") as file:
            self.arrays = {name: torch.from_numpy(file[name]) for name in file.files}
        self.flow = f"V{k}T"
        self.weights = self.group("w.")

    def group(self, prefix: str) -> dict[str, torch.Tensor]:
        return {name.removeprefix(prefix): value for name, value in self.arrays.items() if name.startswith(prefix)}

    def __getitem__(self, name: str) -> torch.Tensor:
        return self.arrays[name]


@pytest.fixture(params=[0, 1, 2], ids=["V0", "V1", "V2"])
def golden(request) -> Golden:
    return Golden(request.param)


def test_predictions_and_hidden_states(golden):
    model = load_released(golden.weights, "translating", golden.flow)
    predicted, states = model(golden["x"], golden["y"].shape[1], return_states=True)
    assert_close(predicted, golden["y"], "predictions")
    seen = golden["x"].shape[1]
    assert_close(states[:, :seen], golden["h_in"], "hidden states of the seen frames")
    assert_close(states[:, seen:], golden["h_out"], "hidden states of the predicted frames")


def test_loss_and_gradients(golden):
    model = load_released(golden.weights, "translating", golden.flow)
    loss = F.mse_loss(model(golden["x"], golden["target"].shape[1]), golden["target"])
    loss.backward()
    assert_close(loss, golden["loss"], "loss")
    expected = load_released(golden.group("g."), "translating", golden.flow)  # gradients under our names
    for (name, found), wanted in zip(model.named_parameters(), expected.parameters(), strict=True):
        assert_close(found.grad, wanted.detach(), f"gradient of {name}")


def test_parity_would_notice_other_generators():
    golden = Golden(2)
    predicted = load_released(golden.weights, "translating", "V1T")(golden["x"], golden["y"].shape[1])
    with pytest.raises(AssertionError, match="relative error"):
        assert_close(predicted, golden["y"], "predictions")


def test_sizes_are_read_off_the_weights(golden):
    model = load_released(golden.weights, "translating", golden.flow)
    assert model.config == {
        "flow": golden.flow,
        "channels": 1,
        "hidden_channels": 5,
        "kernel_size": 3,
        "decoder_layers": 2,
    }
    assert not model.training


def test_unknown_kind():
    with pytest.raises(FernnError, match=r"kind='weather'.*expected one of translating"):
        load_released(Golden(0).weights, "weather")


@pytest.mark.parametrize(
    "spoil",
    [
        lambda w: w.clear(),
        lambda w: w.pop("cell.conv_u.weight"),
        lambda w: w.pop("cell.conv_h.weight"),
        lambda w: w.pop("decoder_conv.2.weight"),
        lambda w: w.update({"cell.conv_h.weight": torch.zeros(4, 4, 3, 3)}),
        lambda w: w.update({"head.weight": torch.zeros(6, 5)}),
    ],
    ids=["empty", "no U", "no W", "gap in the decoder", "W of another size", "unknown weight"],
)
def test_weights_of_another_model(spoil):
    weights = dict(Golden(1).weights)
    spoil(weights)
    with pytest.raises(FernnError, match=r"(?s)not a checkpoint.*Found: .*Expected: cell\.conv_u\.weight"):
        load_released(weights, "translating")


def test_weights_inside_of_a_whole_checkpoint():
    with pytest.raises(FernnError, match=r"Found: model_state_dict dict, epoch int"):
        load_released({"model_state_dict": Golden(1).weights, "epoch": 3}, "translating")
