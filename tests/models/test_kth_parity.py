"""Checkpoints of the released models of moving KTH; tests/device/test_parity.py compares what they compute."""

import pytest
import torch
from torch import Tensor, nn

from fernn.compat import load_released
from fernn.errors import FernnError
from fernn.flows import Translation
from fernn.models import CNN3D, FERNNClassifier, GRNNPlusClassifier
from tests.models import golden as vectors

RECURRENT = {"grnn": "V0T", "fernn_v1": "V1T", "fernn_v2": "V2T", "grnn_plus": "V2T"}
TOLERANCE = 1e-5  # the released code computed in float32


class Golden(vectors.Golden):
    """What the released code computed from random weights, in training and afterwards in evaluation.

    Its weights (w.*) were saved at the end, so their running statistics are those after the training step.
    """

    def __init__(self, name: str) -> None:
        super().__init__(f"kth_{name}")

    def model(self, dtype: torch.dtype = torch.float32) -> nn.Module:
        """As it was before the training step, in training mode."""
        model = load_released(self.group("w."), "kth").to(dtype).train()
        for module in model.modules():
            if isinstance(module, nn.modules.batchnorm._NormBase):
                module.reset_running_stats()
        return model

    def renamed(self, prefix: str) -> dict[str, Tensor]:
        """A group of arrays under our names; what is not in it is a weight or statistic of the end."""
        return load_released({**self.group("w."), **self.group(prefix)}, "kth").state_dict()


@pytest.fixture(scope="module", params=[*RECURRENT, "3dcnn"])
def golden(request) -> Golden:
    return Golden(request.param)


@pytest.mark.parametrize("name", [*RECURRENT, "3dcnn"])
def test_sizes_and_precision_are_read_off_the_weights(name):
    weights = {
        key: value.double() if value.is_floating_point() else value for key, value in Golden(name).group("w.").items()
    }
    model = load_released(weights, "kth")
    recurrent = {"stem_channels": [32, 64, 6], "stem_kernels": [5, 3, 3], "kernel_size": 3, "channels": 1, "classes": 6}
    if name == "3dcnn":
        assert type(model) is CNN3D
        assert model.config == {"base": 4, "channels": 1, "classes": 6}
    else:
        assert type(model) is (GRNNPlusClassifier if name == "grnn_plus" else FERNNClassifier)
        assert model.config == {"flow": RECURRENT[name], **recurrent}
    assert {value.dtype for value in model.parameters()} == {torch.float64}
    assert not model.training


def test_a_flow_that_the_weights_contradict():
    weights = Golden("fernn_v1").group("w.")
    assert load_released(weights, "kth", "V1T").flow == load_released(weights, "kth", Translation(1)).flow
    with pytest.raises(FernnError, match="its 9 generators are those of V1T, not of V2T"):
        load_released(weights, "kth", "V2T")
    with pytest.raises(FernnError, match="a 3D-CNN has no flow"):
        load_released(Golden("3dcnn").group("w."), "kth", "V2T")


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        *((FERNNClassifier(f"V{k}T"), 241_638) for k in (0, 1, 2)),  # V does not count
        (GRNNPlusClassifier("V2T"), 242_263),
        (CNN3D(), 208_598),
    ],
)
def test_parameters_at_the_size_of_the_paper(model, expected):
    assert sum(weight.numel() for weight in model.parameters()) == expected


ANY = {
    "empty": lambda w: w.clear(),
    "no head": lambda w: w.pop("fc.weight", None) if "fc.weight" in w else w.pop("head.weight"),
    "unknown weight": lambda w: w.update({"decoder.weight": torch.zeros(6, 5)}),
    "no tensor": lambda w: w.update({name: "none" for name in ("fc.weight", "head.weight") if name in w}),
}
OF_RECURRENT = {
    "gap in the stem": lambda w: w.pop("lstm.conv_u_first.3.weight"),
    "no statistics": lambda w: w.pop("lstm.conv_u_first.4.running_var"),
    "no W": lambda w: w.pop("lstm.conv_h_layers.0.0.weight"),
    "no shifts": lambda w: w.pop("lstm.shift_kernels"),
    "no generator": lambda w: w.update({"lstm.shift_kernels": w["lstm.shift_kernels"][:0]}),
    "8 generators": lambda w: w.update({"lstm.shift_kernels": w["lstm.shift_kernels"][:8]}),
}


@pytest.mark.parametrize(
    ("name", "spoil"),
    [*(("3dcnn", each) for each in ANY.values()), *(("fernn_v1", each) for each in (ANY | OF_RECURRENT).values())],
    ids=[*(f"3dcnn, {each}" for each in ANY), *(f"fernn_v1, {each}" for each in ANY | OF_RECURRENT)],
)
def test_weights_of_another_model(name, spoil):
    weights = Golden(name).group("w.")
    spoil(weights)
    with pytest.raises(FernnError, match=r"(?s)not a checkpoint of the released kth.*Found: .*Expected: lstm\.conv_u"):
        load_released(weights, "kth")


@pytest.mark.parametrize("given", [None, []])
def test_what_is_no_checkpoint(given):
    with pytest.raises(FernnError, match="expected the weights of a model by name"):
        load_released(given, "kth")
