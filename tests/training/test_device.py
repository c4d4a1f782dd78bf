import pytest
import torch

from fernn.errors import FernnError
from fernn.training.device import choose_device, prepare


def test_no_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_device("quick", allow_cpu=True) == torch.device("cpu")
    with pytest.raises(FernnError, match=r"scale paper needs a CUDA GPU.*--scale quick.*--allow-cpu"):
        choose_device("paper", allow_cpu=False)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_gpu_goes_first():
    assert choose_device("paper", allow_cpu=True).type == "cuda"


def test_threads():
    before = torch.get_num_threads()
    try:
        prepare(torch.device("cpu"), 2)
        assert torch.get_num_threads() == 2
        prepare(torch.device("cpu"), 0)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
