import pytest
import torch
from torch import nn

from fernn.arrays import write_arrays
from fernn.errors import FernnError
from fernn.models import FERNNPredictor, GRNNPredictor, load_model, save_model


@pytest.fixture
def model() -> FERNNPredictor:
    torch.manual_seed(0)
    return FERNNPredictor("V1T", hidden_channels=3, kernel_size=5, decoder_layers=1)


def test_round_trip(model, tmp_path):
    save_model(model, tmp_path / "model.safetensors")
    loaded = load_model(tmp_path / "model.safetensors")
    frames = torch.randn(2, 3, 1, 6, 7)
    assert loaded.config == model.config
    assert not loaded.training
    assert torch.equal(loaded(frames, 2), model(frames, 2))


def test_grnn_comes_back_as_v0(tmp_path):
    grnn = GRNNPredictor(hidden_channels=2, decoder_layers=0)
    save_model(grnn, tmp_path / "grnn.safetensors")
    frames = torch.randn(1, 2, 1, 5, 5)
    assert torch.equal(load_model(tmp_path / "grnn.safetensors")(frames, 1), grnn(frames, 1))


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


def test_missing_file(tmp_path):
    with pytest.raises(FernnError, match=r"none.safetensors: no such file.*fernn train"):
        load_model(tmp_path / "none.safetensors")


def test_broken_file(model, tmp_path):
    path = tmp_path / "model.safetensors"
    save_model(model, path)
    path.write_bytes(path.read_bytes()[:-7])
    with pytest.raises(FernnError, match=r"not a model of this library.*save_model"):
        load_model(path)


def test_file_of_another_kind(tmp_path):
    write_arrays(tmp_path / "digits", {"train": torch.zeros(1)}, {"inputs": {}})
    with pytest.raises(FernnError, match=r"not a model of this library.*save_model"):
        load_model(tmp_path / "digits")


def test_model_of_another_library(tmp_path):
    with pytest.raises(FernnError, match=r"Linear.*FERNNPredictor"):
        save_model(nn.Linear(2, 2), tmp_path / "model")
    assert not (tmp_path / "model").exists()
