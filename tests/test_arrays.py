import subprocess
import sys

import numpy as np
import pytest
import torch
from safetensors.torch import save

from fernn.arrays import read_about, read_arrays, write_arrays
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


def test_arrays_of_numpy_and_of_torch_are_the_same_file(arrays, tmp_path):
    arrays |= {"flip": torch.tensor([True, False]), "none": torch.zeros(0, 2), "scalar": torch.tensor(0.5)}
    write_arrays(tmp_path / "torch", arrays, {}, packed=("start",))
    write_arrays(tmp_path / "numpy", {name: array.numpy() for name, array in arrays.items()}, {}, packed=("start",))
    assert (tmp_path / "torch").read_bytes() == (tmp_path / "numpy").read_bytes()
    found, _ = read_arrays(tmp_path / "torch")
    assert all(torch.equal(found[name], array) for name, array in arrays.items())
    found["start"] += 1  # the memory is the reader's own


def test_a_head_is_read_and_arrays_are_written_without_torch(tmp_path):
    write_arrays(tmp_path / "file", {"images": np.zeros((2, 3), np.uint8)}, {"stand_in": True}, packed=("images",))
    assert read_about(tmp_path / "file") == {"stand_in": True}
    code = "import sys; from fernn.arrays import read_about; read_about(sys.argv[1]); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code, tmp_path / "file"], check=True)


def test_packed_arrays_come_back_as_they_were(tmp_path):
    images = torch.zeros(10, 28, 28, dtype=torch.uint8)
    images[3, 4] = torch.arange(28)
    write_arrays(tmp_path / "plain", {"images": images}, {"seed": 1})
    write_arrays(tmp_path / "file", {"images": images, "start": torch.arange(3)}, {"seed": 1}, packed=("images",))
    found, record = read_arrays(tmp_path / "file")
    assert torch.equal(found["images"], images)
    assert torch.equal(found["start"], torch.arange(3))
    assert record == {"seed": 1}
    assert (tmp_path / "file").stat().st_size < (tmp_path / "plain").stat().st_size / 10


def test_only_bytes_are_packed(tmp_path):
    with pytest.raises(TypeError, match="digit: only uint8 is packed, this is float32"):
        write_arrays(tmp_path / "file", {"digit": torch.zeros(2)}, {}, packed=("digit",))


def test_same_content_same_bytes(arrays, tmp_path):
    write_arrays(tmp_path / "a", arrays, {"x": 1, "y": 2})
    write_arrays(tmp_path / "b", dict(reversed(arrays.items())), {"y": 2, "x": 1})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_nothing_is_left_when_writing_fails(arrays, tmp_path):
    with pytest.raises(TypeError):
        write_arrays(tmp_path / "file", arrays, {"path": tmp_path})  # no JSON
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written(arrays, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(FernnError, match=r"cannot write .*Make room"):
        write_arrays(tmp_path / "file" / "arrays", arrays, {})


def test_missing_file(tmp_path):
    with pytest.raises(FernnError, match=r"none: no such file.*snakemake --cores all"):
        read_arrays(tmp_path / "none")
    with pytest.raises(FileNotFoundError):
        read_about(tmp_path / "none")


def header(metadata: dict[str, str] | None) -> bytes:
    """A file of safetensors with this metadata."""
    return save({"digit": torch.zeros(1)}, metadata)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"x" * 100,
        header({"fernn": "{}"})[:-3],
        *map(header, [None, {"format": "pt"}, {"fernn": "[1]"}, {"fernn": "{"}]),
    ],
)
def test_what_is_no_file_of_arrays(tmp_path, content):
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(FernnError, match=r"broken or of another kind.*rebuild it"):
        read_arrays(tmp_path / "file")
    with pytest.raises(ValueError):
        read_about(tmp_path / "file")


def test_a_packed_array_that_is_corrupt_or_not_there(tmp_path):
    write_arrays(tmp_path / "file", {"images": torch.zeros(9, 9, dtype=torch.uint8)}, {}, packed=("images",))
    content = bytearray((tmp_path / "file").read_bytes())
    content[-1] ^= 1
    for each in (content, header({"fernn": '{"packed": {"images": [2, 3]}}'})):
        (tmp_path / "file").write_bytes(each)
        with pytest.raises(FernnError, match=r"the packed array images is corrupt.*rebuild it"):
            read_arrays(tmp_path / "file")
