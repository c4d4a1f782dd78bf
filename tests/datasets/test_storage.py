import pytest
import torch

from fernn.datasets.storage import read_arrays, write_arrays
from fernn.errors import FernnError


@pytest.fixture
def arrays() -> dict[str, torch.Tensor]:
    return {"digit": torch.arange(6).view(2, 3), "start": torch.arange(4, dtype=torch.uint8).view(2, 2).T}


def test_round_trip(arrays, tmp_path):
    about = {"seed": 42, "inputs": {"flow": "V2T"}, "mnist": None}
    write_arrays(tmp_path / "deep" / "file", arrays, about)
    found, record = read_arrays(tmp_path / "deep" / "file")
    assert record == about
    assert found.keys() == arrays.keys()
    assert all(found[name].dtype == arrays[name].dtype and torch.equal(found[name], arrays[name]) for name in arrays)


def test_same_content_same_bytes(arrays, tmp_path):
    write_arrays(tmp_path / "a", arrays, {"x": 1, "y": 2})
    write_arrays(tmp_path / "b", dict(reversed(arrays.items())), {"y": 2, "x": 1})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_missing_file(tmp_path):
    with pytest.raises(FernnError, match=r"none: no such file.*fernn dataset"):
        read_arrays(tmp_path / "none")


@pytest.mark.parametrize("spoil", [lambda b: b[:-3], lambda b: b"", lambda b: b"x" * 100])
def test_broken_file(arrays, tmp_path, spoil):
    write_arrays(tmp_path / "file", arrays, {})
    (tmp_path / "file").write_bytes(spoil((tmp_path / "file").read_bytes()))
    with pytest.raises(FernnError, match=r"broken or of another kind.*make it again"):
        read_arrays(tmp_path / "file")


def test_file_without_a_record(tmp_path):
    from safetensors.torch import save_file

    save_file({"digit": torch.zeros(1)}, tmp_path / "file")
    with pytest.raises(FernnError, match=r"broken or of another kind"):
        read_arrays(tmp_path / "file")


def test_nothing_is_left_when_writing_fails(arrays, tmp_path):
    with pytest.raises(TypeError):
        write_arrays(tmp_path / "file", arrays, {"path": tmp_path})  # no JSON
    assert list(tmp_path.iterdir()) == []
