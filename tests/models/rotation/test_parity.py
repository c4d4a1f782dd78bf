"""Checkpoints of the released model of rotating MNIST; tests/device/test_parity.py compares what it computes.

The released code reads maps bilinearly at coordinates in float32, ours at coordinates in float64: 1e-4 is stated where
that enters, by norms; the expanded filters are equal within 1e-6.
"""

import pytest
import torch

from fernn.compat import load_released
from fernn.errors import FernnError
from fernn.flows import Rotation
from fernn.models import RotationPredictor
from fernn.models.rotation.convolution import field_first
from tests.closeness import relative_error
from tests.models import golden as vectors

STATED = 1e-4


class Golden(vectors.Golden):
    """Two fields of C_12, turns of 30 degrees."""

    def __init__(self, k: int) -> None:
        super().__init__(f"rotating_v{k}")
        self.flow, self.weights = Rotation(k, 30), self.group("w.")
        assert tuple(self["v_list"].tolist()) == self.flow.generators


@pytest.fixture(params=[0, 2], ids=["V0", "V2"])
def golden(request) -> Golden:
    return Golden(request.param)


def model_of(golden: Golden, convolution: str = "steerable") -> RotationPredictor:
    model = load_released(golden.weights, "rotating", golden.flow)
    other = RotationPredictor(**{**model.config, "convolution": convolution})
    other.load_state_dict(model.state_dict())
    return other


def released(name: str) -> str:
    """The name of a weight in the released code."""
    theirs = {"cell.U.weights": "cell.conv_u.weights", "cell.W.weights": "cell.conv_h.weights"}
    return theirs.get(name, name.replace("decoder.", "decoder_conv."))


def test_expanded_filters(golden):
    model = model_of(golden, "dense")
    U, W = model.cell.U.filter(), model.cell.W.kernel().weights
    assert relative_error(field_first(U, 12, 0), golden["filter_u"]) < 1e-6
    assert relative_error(field_first(field_first(W, 12, 0), 12, 1), golden["filter_h"]) < 1e-6


def test_sizes_are_read_off_the_weights(golden):
    model = load_released(golden.weights, "rotating", golden.flow)
    assert model.config == {
        "flow": golden.flow.name,
        "degrees": 30.0,
        "fields": 2,
        "group_order": 12,
        "channels": 1,
        "kernel_size": 3,
        "decoder_layers": 1,
        "convolution": "steerable",
        "frame": "lab",
    }
    assert not model.training


def test_a_checkpoint_in_evaluation_mode_holds_expanded_filters_too(golden):
    weights = {**golden.weights, "cell.conv_u.filter": golden["filter_u"], "cell.conv_h.filter": golden["filter_h"]}
    model = load_released(weights, "rotating", golden.flow)
    assert relative_error(model(golden["x"], 2), golden["y"]) < STATED


@pytest.mark.parametrize(
    "spoil",
    [
        lambda w: w.clear(),
        lambda w: w.pop("cell.conv_h.weights"),
        lambda w: w.pop("decoder_conv.2.weight"),
        lambda w: w.update({"cell.conv_h.weights": torch.zeros(287)}),
    ],
    ids=["empty", "no W", "gap in the decoder", "W of another size"],
)
def test_weights_of_another_model(spoil):
    weights = dict(Golden(2).weights)
    spoil(weights)
    with pytest.raises(FernnError, match=r"(?s)not a checkpoint.*Found: .*Expected: cell\.conv_u\.weights"):
        load_released(weights, "rotating", Rotation(2, 30))


def test_a_flow_of_translations():
    with pytest.raises(FernnError, match=r"names no flow of rotation|its flow is a Rotation"):
        load_released(Golden(2).weights, "rotating", "V2T")
