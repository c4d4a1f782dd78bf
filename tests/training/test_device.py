import subprocess
import sys

import pytest
import torch

from fernn.errors import FernnError
from fernn.models import winograd
from fernn.training.device import choose_device, prepare


def test_no_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_device("quick", allow_cpu=True) == torch.device("cpu")
    with pytest.raises(FernnError, match=r"scale paper needs a CUDA GPU.*--scale quick.*--allow-cpu"):
        choose_device("paper", allow_cpu=False)


def test_a_gpu_goes_first(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
    assert choose_device("paper", allow_cpu=True) == torch.device("cuda", 0)


@pytest.fixture
def switches():
    """torch's switches for TF32 as (convolutions, matrix products); they are as before at the end."""
    cudnn, products = torch.backends.cudnn, torch.backends.cuda.matmul
    before = cudnn.allow_tf32, products.allow_tf32
    yield lambda: (cudnn.allow_tf32, products.allow_tf32)
    cudnn.allow_tf32, products.allow_tf32 = before


@pytest.mark.parametrize("inherited", [True, False])
@pytest.mark.parametrize(
    ("precision", "expected"), [("float32", (False, False)), ("tf32", (True, False)), ("bf16", (False, False))]
)
def test_precision_is_said_and_not_inherited(switches, inherited, precision, expected):
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = inherited
    prepare(torch.device("cpu"), 0, precision, transformed=True)
    assert switches() == expected


def test_torchs_defaults_are_what_tf32_stands_for():
    asked = "import torch; print(torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32)"
    said = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True).stdout
    assert said.split() == ["True", "False"]


def test_threads():
    before = torch.get_num_threads()
    try:
        prepare(torch.device("cpu"), 2, "float32", transformed=True)
        assert torch.get_num_threads() == 2
        prepare(torch.device("cpu"), 0, "float32", transformed=True)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("yes", [False, True])
def test_winograd_is_said_and_not_inherited(yes):
    W = torch.empty(winograd.LEAST, winograd.LEAST, 3, 3)
    with winograd.allowed(not yes):
        prepare(torch.device("cpu"), 0, "float32", transformed=yes)
        assert winograd.pays(W, 28, 28) is yes
