"""Our recognition networks with the weights of the released code's do what those do."""

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fernn.compat import load_released
from fernn.errors import FernnError
from fernn.flows import Translation
from fernn.models import CNN3D, FERNNClassifier, GRNNPlusClassifier
from tests.closeness import DTYPES, relative_error

GOLDEN = Path(__file__).parents[1] / "golden"
RECURRENT = {"grnn": "V0T", "fernn_v1": "V1T", "fernn_v2": "V2T", "grnn_plus": "V2T"}
TOLERANCE = 1e-5  # the released code computed in float32


class Golden:
    """What the released code computed from random weights, in training and afterwards in evaluation.

    Its weights (w.*) were saved at the end, so their running statistics are those after the training step.
    """

    def __init__(self, name: str) -> None:
        with np.load(GOLDEN / f"kth_{name}.npz") as file:
            self.arrays = {key: torch.from_numpy(file[key]) for key in file.files}

    def group(self, prefix: str) -> dict[str, Tensor]:
        return {name.removeprefix(prefix): value for name, value in self.arrays.items() if name.startswith(prefix)}

    def __getitem__(self, name: str) -> Tensor:
        return self.arrays[name]

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


def assert_equal(found: Tensor, expected: Tensor, what: str) -> None:
    error = relative_error(found, expected)
    assert error <= TOLERANCE, f"{what}: relative error {error:.2e}"


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_training_step_and_the_evaluation_after_it(golden, dtype):
    model, clips = golden.model(dtype), golden["x"].to(dtype)
    before = model.eval()(clips)
    logits = model.train()(clips)
    loss = F.cross_entropy(logits, golden["label"])
    loss.backward()
    assert_equal(logits, golden["logits_train"], "logits in training")
    assert_equal(loss, golden["loss"], "loss")

    gradients, weights = golden.renamed("g."), dict(model.named_parameters())
    assert len(golden.group("g.")) == len(weights)
    for name, weight in weights.items():
        assert_equal(weight.grad, gradients[name], f"gradient of {name}")

    statistics = golden.renamed("after.")
    running = [name for name, _ in model.named_buffers() if "running" in name]
    assert len(running) == len(golden.group("after."))
    for name in running:
        assert_equal(model.get_buffer(name), statistics[name], name)

    evaluated = model.eval()(clips)
    assert_equal(evaluated, golden["logits_eval"], "logits in evaluation")
    assert relative_error(before, golden["logits_eval"]) > 1e-2, "the statistics play no part"


def test_updates_are_counted(golden):
    """A recurrent network's batch norm sees one step of time at a time, a 3D-CNN's sees the clip."""
    model = golden.model()
    model(golden["x"])
    counted = {name: value for name, value in golden.renamed("w.").items() if name.endswith("num_batches_tracked")}
    assert counted
    assert all(torch.equal(model.get_buffer(name), value) for name, value in counted.items())


def test_a_checkpoint_is_ready_to_evaluate(golden):
    model = load_released(golden.group("w."), "kth")
    assert not model.training
    assert_equal(model(golden["x"]), golden["logits_eval"], "logits in evaluation")


@pytest.mark.parametrize(("name", "flow"), RECURRENT.items())
def test_sizes_are_read_off_the_weights(name, flow):
    model = load_released(Golden(name).group("w."), "kth")
    assert type(model) is (GRNNPlusClassifier if name == "grnn_plus" else FERNNClassifier)
    assert model.config == {
        "flow": flow,
        "stem_channels": [32, 64, 6],
        "stem_kernels": [5, 3, 3],
        "kernel_size": 3,
        "channels": 1,
        "classes": 6,
    }


def test_sizes_of_the_3dcnn_are_read_off_the_weights():
    model = load_released(Golden("3dcnn").group("w."), "kth")
    assert type(model) is CNN3D
    assert model.config == {"base": 4, "channels": 1, "classes": 6}


def test_a_flow_that_the_weights_contradict():
    weights = Golden("fernn_v1").group("w.")
    assert load_released(weights, "kth", "V1T").flow == load_released(weights, "kth", Translation(1)).flow
    with pytest.raises(FernnError, match="its 9 generators are those of V1T, not of V2T"):
        load_released(weights, "kth", "V2T")
    with pytest.raises(FernnError, match="a 3D-CNN has no flow"):
        load_released(Golden("3dcnn").group("w."), "kth", "V2T")


@pytest.mark.parametrize("name", [*RECURRENT, "3dcnn"])
def test_weights_keep_their_precision(name):
    weights = {
        key: value.double() if value.is_floating_point() else value for key, value in Golden(name).group("w.").items()
    }
    assert {value.dtype for value in load_released(weights, "kth").parameters()} == {torch.float64}


@pytest.mark.parametrize("spoiled", [None, [], {"st1.0.weight": "none"}])
def test_what_is_no_checkpoint(spoiled):
    with pytest.raises(
        FernnError, match=r"expected the weights of a model by name|not a checkpoint of the released kth"
    ):
        load_released(spoiled, "kth")


def test_parity_would_notice_other_generators():
    golden = Golden("fernn_v2")
    weights = golden.group("w.")
    weights["lstm.shift_kernels"] = weights["lstm.shift_kernels"][:9]
    logits = load_released(weights, "kth")(golden["x"])
    assert relative_error(logits, golden["logits_eval"]) > 1e-3


@pytest.mark.parametrize("k", [0, 1, 2])
def test_parameters_of_fernns_do_not_depend_on_v(k):
    """241,638 at the paper's size, the G-RNN (V_0) among them."""
    assert sum(weight.numel() for weight in FERNNClassifier(f"V{k}T").parameters()) == 241_638


@pytest.mark.parametrize(("model", "expected"), [(GRNNPlusClassifier("V2T"), 242_263), (CNN3D(), 208_598)])
def test_parameters_of_the_others(model, expected):
    assert sum(weight.numel() for weight in model.parameters()) == expected


SPOILT = {
    "empty": lambda w: w.clear(),
    "no head": lambda w: w.pop("fc.weight", None) if "fc.weight" in w else w.pop("head.weight"),
    "unknown weight": lambda w: w.update({"decoder.weight": torch.zeros(6, 5)}),
    "head of another size": lambda w: w.update(
        {name: torch.zeros(6, 7) for name in ("fc.weight", "head.weight") if name in w}
    ),
}


@pytest.mark.parametrize("spoil", SPOILT.values(), ids=SPOILT)
def test_weights_of_another_model(golden, spoil):
    weights = golden.group("w.")
    spoil(weights)
    with pytest.raises(FernnError, match=r"(?s)not a checkpoint of the released kth.*Found: .*Expected: lstm\.conv_u"):
        load_released(weights, "kth")


@pytest.mark.parametrize(
    "spoil",
    [
        lambda w: w.pop("lstm.conv_u_first.3.weight"),
        lambda w: w.pop("lstm.conv_u_first.4.running_var"),
        lambda w: w.pop("lstm.conv_h_layers.0.0.weight"),
        lambda w: w.pop("lstm.shift_kernels"),
        lambda w: w.update({"lstm.shift_kernels": w["lstm.shift_kernels"][:0]}),
        lambda w: w.update({"lstm.shift_kernels": w["lstm.shift_kernels"][:4]}),
        lambda w: w.update({"lstm.shift_kernels": w["lstm.shift_kernels"][:8]}),
    ],
    ids=["gap in the stem", "no statistics", "no W", "no shifts", "no generator", "4 generators", "8 generators"],
)
def test_weights_of_another_recurrent_model(spoil):
    weights = Golden("fernn_v1").group("w.")
    spoil(weights)
    with pytest.raises(FernnError, match="not a checkpoint of the released kth"):
        load_released(weights, "kth")


@pytest.mark.parametrize("name", ["grnn", "3dcnn"])
def test_other_kind_named(name):
    with pytest.raises(FernnError, match="not a checkpoint of the released translating"):
        load_released(Golden(name).group("w."), "translating")
