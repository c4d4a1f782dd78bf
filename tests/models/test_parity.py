"""Checkpoints of the released model of translating MNIST; tests/device/test_parity.py compares what it computes."""

import pytest
import torch

from fernn.compat import load_released
from fernn.errors import FernnError
from tests.models import golden as vectors


class Golden(vectors.Golden):
    def __init__(self, k: int) -> None:
        super().__init__(f"translating_v{k}")
        self.flow, self.weights = f"V{k}T", self.group("w.")


@pytest.fixture(params=[0, 1, 2], ids=["V0", "V1", "V2"])
def golden(request) -> Golden:
    return Golden(request.param)


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
