import subprocess
import sys

import pytest
import torch

from fernn.flows import Rotation
from fernn.models import RotationCell, RotationPredictor, load_model, save_model
from fernn.models.rotation import convolution as module
from fernn.models.rotation.convolution import choose_convolution
from fernn.models.storage import channels_last
from tests.closeness import assert_close


def test_what_follows_from_the_sizes_is_in_no_checkpoint():
    model = RotationPredictor("V1R", 45, fields=2, group_order=8, decoder_layers=1)
    assert set(model.state_dict()) == {"cell.U.weights", "cell.W.weights", "decoder.0.weight", "decoder.2.weight"}


def test_a_seed_gives_the_same_weights_however_they_are_used():
    drawn = []
    for convolution in ("steerable", "dense", "steerable"):
        torch.manual_seed(5)
        drawn.append(RotationPredictor("V0R", 40, fields=2, group_order=9, convolution=convolution).state_dict())
    assert all(torch.equal(drawn[0][name], other[name]) for other in drawn[1:] for name in drawn[0])


@pytest.mark.parametrize("frame", ["lab", "co-moving"])
@pytest.mark.parametrize(("order", "degrees"), [(4, 90), (12, 30), (12, 60)])
def test_the_maximum_is_taken_in_the_frame_of_the_input(order, degrees, frame):
    torch.manual_seed(0)
    cell, state = RotationCell(Rotation(1, degrees), fields=2, order=order, frame=frame), None
    for image in torch.rand(4, 2, 1, 7, 7):
        state = cell(image, state)
        assert_close(state.max(), state.lab().amax(1), f"max of h_{state.time} over V")


def run(code: str) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


def test_escnn_is_imported_where_it_is_needed_only():
    done = run(
        "import sys, fernn.models, fernn.cli, fernn.compat; print('escnn' in sys.modules, 'scipy' in sys.modules)"
    )
    assert (done.stdout, done.stderr) == ("False False\n", "")


def test_its_import_is_silent():
    done = run("from fernn.models import RotationPredictor; RotationPredictor('V0R', fields=1, group_order=36)")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize(
    ("wish", "channels", "expected"),
    [
        ("auto", 1152, "steerable"),
        ("auto", 256, "steerable"),
        ("auto", 255, "dense"),
        ("steerable", 24, "steerable"),
        ("dense", 1152, "dense"),
    ],
)
def test_the_convolution_is_chosen_by_channels_or_as_wished(wish, channels, expected):
    assert choose_convolution(wish, channels) == expected


def test_auto_is_what_it_chose_and_stays_auto_in_a_file(tmp_path, monkeypatch):
    sizes = {"flow": Rotation(1, 45), "fields": 2, "group_order": 8, "decoder_layers": 1}
    torch.manual_seed(0)
    auto = RotationPredictor(**sizes, convolution="auto")
    save_model(auto, tmp_path / "auto")
    loaded, frames = load_model(tmp_path / "auto"), torch.rand(1, 2, 1, 9, 9)
    assert loaded.config["convolution"] == "auto"
    for few, expected in ((256, "dense"), (1, "steerable")):
        monkeypatch.setattr(module, "FEW", few)
        assert loaded.choices == {"convolution": expected}
        told = RotationPredictor(**sizes, convolution=expected)
        told.load_state_dict(auto.state_dict())
        assert torch.equal(loaded(frames, 2), channels_last(told)(frames, 2))
