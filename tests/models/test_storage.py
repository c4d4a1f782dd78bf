import numpy as np
import pytest
import torch
from torch import nn

from fernn.arrays import write_arrays
from fernn.errors import FernnError
from fernn.flows import Rotation, Translation
from fernn.models import (
    CNN3D,
    PRETRAINED,
    FERNNClassifier,
    FERNNPredictor,
    GRNNPlusClassifier,
    GRNNPredictor,
    RotationPredictor,
    load_model,
    pretrained,
    save_model,
)
from fernn.models.storage import channels_last, write_model


@pytest.fixture
def model() -> FERNNPredictor:
    torch.manual_seed(0)
    return FERNNPredictor("V1T", hidden_channels=3, kernel_size=5, decoder_layers=1)


MODELS = {
    "FERNN, A": lambda: FERNNPredictor("V1T", hidden_channels=3, decoder_layers=1),
    "FERNN that mixes": lambda: FERNNPredictor("V1T", hidden_channels=2, decoder_layers=1, mixing=1),
    "G-RNN, A": lambda: GRNNPredictor(hidden_channels=2, decoder_layers=0),
    "FERNN, B": lambda: RotationPredictor(Rotation(1, 90), fields=2, group_order=4, decoder_layers=1),
    "FERNN, C": lambda: FERNNClassifier("V1T", stem_channels=(2, 3), stem_kernels=(5, 3)),
    "G-RNN+, C": lambda: GRNNPlusClassifier("V1T", stem_channels=(2, 3), stem_kernels=(5, 3)),
    "3D-CNN, C": lambda: CNN3D(2),
}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("build", MODELS.values(), ids=MODELS)
def test_round_trip(build, dtype, tmp_path):
    """The same model, with the channels of its convolutions last.

    By strides: of a kernel with one channel both orders are contiguous, and its maps follow the strides.
    """
    model, clips = build().to(dtype), torch.randn(2, 3, 1, 6, 6, dtype=dtype)
    arguments = (clips, 2) if hasattr(model, "decoder") else (clips,)
    model(*arguments)  # so that statistics of batch norm are no longer those it was made with
    save_model(model, tmp_path / "model.safetensors")
    loaded = load_model(tmp_path / "model.safetensors")
    assert type(loaded) is type(model)
    assert loaded.config == model.config
    assert not loaded.training
    assert loaded.state_dict().keys() == model.state_dict().keys()
    for name, value in model.state_dict().items():
        assert loaded.state_dict()[name].dtype == value.dtype
        assert torch.equal(loaded.state_dict()[name], value)
    convolutions = [module.weight for module in loaded.modules() if isinstance(module, nn.Conv2d)]
    assert all(weight.stride(1) == 1 for weight in convolutions)
    assert bool(convolutions) is not isinstance(loaded, CNN3D)
    assert torch.equal(loaded(*arguments), channels_last(model).eval()(*arguments))


class Some(Translation):
    """A flow that has the name of another."""

    @property
    def generators(self):
        return ((0, 0), (1, 0))


class Another(FERNNPredictor):
    """A network that computes something else."""

    def forward(self, frames, steps, return_states=False):
        return -super().forward(frames, steps)


def altered():
    model = FERNNPredictor("V1T", hidden_channels=2, decoder_layers=0)
    model.decoder[0] = nn.Conv2d(2, 3, 1)
    return model


@pytest.mark.parametrize(
    ("build", "said"),
    [
        (lambda: FERNNPredictor(Some(1), hidden_channels=2), r"FERNNPredictor that its config does not tell of.*V1T"),
        (altered, r"FERNNPredictor that its config does not tell of"),
        (lambda: Another("V1T", hidden_channels=2), r"got a Another; it writes these: FERNNPredictor"),
        (lambda: nn.Linear(2, 2), r"got a Linear; it writes these: FERNNPredictor"),
    ],
    ids=["flow", "layers", "class", "library"],
)
def test_what_could_not_be_read_again_is_not_written(build, said, tmp_path):
    with pytest.raises(FernnError, match=said):
        save_model(build(), tmp_path / "model")
    assert not list(tmp_path.iterdir())


class Own(FERNNPredictor):
    """A network of one's own whose config, inherited, is not what it is built with."""

    def __init__(self, flow):
        super().__init__(flow, hidden_channels=2)


def test_a_class_that_does_not_take_its_config(tmp_path):
    with pytest.raises(FernnError, match=r"got a Own that its config does not tell of"):
        write_model(Own("V1T"), (Own,), tmp_path / "model")


def test_sizes_of_numpy(tmp_path):
    save_model(FERNNPredictor("V1T", hidden_channels=np.int64(2)), tmp_path / "model")
    assert load_model(tmp_path / "model").config["hidden_channels"] == 2


def test_a_place_that_cannot_be_written_to(model, tmp_path):
    with pytest.raises(FernnError, match=r"cannot write .*choose a folder you may write to"):
        save_model(model, tmp_path)


def test_a_device_that_is_not_there(model, tmp_path):
    save_model(model, tmp_path / "model")
    for device in ("gpu", "xpu"):
        with pytest.raises(FernnError, match=f"there is no device '{device}' to put it on"):
            load_model(tmp_path / "model", device)
    assert load_model(tmp_path / "model", "meta").cell.U.weight.is_meta


def test_same_model_same_bytes(model, tmp_path):
    for name in ("a", "b"):
        save_model(model, tmp_path / name)
    model.to(memory_format=torch.channels_last)  # as training stores it
    save_model(model, tmp_path / "c")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes() == (tmp_path / "c").read_bytes()


def test_other_weights_in_place_of_its_own(model, tmp_path):
    best = {name: torch.full_like(value, 0.5) for name, value in model.state_dict().items()}
    save_model(model, tmp_path / "best", best)
    assert all((weight == 0.5).all() for weight in load_model(tmp_path / "best").parameters())


def test_what_is_no_model(model, tmp_path):
    save_model(model, tmp_path / "cut")
    (tmp_path / "cut").write_bytes((tmp_path / "cut").read_bytes()[:-7])
    write_arrays(tmp_path / "digits", {"train": torch.zeros(1)}, {"inputs": {}})
    for path in (tmp_path / "cut", tmp_path / "digits", tmp_path):
        with pytest.raises(FernnError, match=r"not a model of this library.*save_model"):
            load_model(path)


def test_missing_file(tmp_path):
    with pytest.raises(FernnError, match=r"none.safetensors: no such file.*fernn train"):
        load_model(tmp_path / "none.safetensors")


@pytest.mark.filterwarnings("ignore:Initializing zero-element tensors")  # of a header that says 0 channels
def test_a_damaged_header_is_one_sentence(model, tmp_path):
    """Each byte of the header in turn; numbers may change unseen, which is what digests in records are for."""
    path = tmp_path / "model.safetensors"
    save_model(model, path)
    whole = path.read_bytes()
    refused = 0
    for place in range(8 + int.from_bytes(whole[:8], "little")):
        for byte in {whole[place] ^ 1, whole[place] ^ 32, 0xFF}:
            path.write_bytes(whole[:place] + bytes([byte]) + whole[place + 1 :])
            try:
                load_model(path)
            except FernnError as error:
                refused += 1
                assert str(error).startswith(f"{path}: ")
                assert len(str(error).splitlines()) == 1
    assert refused > 1000


@pytest.mark.parametrize("name", PRETRAINED)
def test_a_pretrained_model_continues_a_clip(name):
    model = pretrained(name)
    assert not model.training
    assert model(torch.rand(1, 2, 1, 12, 12), 3).shape == (1, 3, 1, 12, 12)


def test_an_unknown_pretrained_model():
    with pytest.raises(FernnError, match=r"translation/FERNN-V9T: no pretrained model\. .*translation/FERNN-V2T, "):
        pretrained("translation/FERNN-V9T")
