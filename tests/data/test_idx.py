import gzip
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra import numpy as hnp

from fernn.data.mnist import read_idx, write_idx
from fernn.errors import FernnError

GOOD = bytes([0, 0, 8, 2]) + struct.pack(">2I", 2, 3) + bytes(range(6))


def test_reads_plain_and_gzipped_by_content(tmp_path):
    (tmp_path / "plain.gz").write_bytes(GOOD)
    (tmp_path / "packed").write_bytes(gzip.compress(GOOD))
    for name in ("plain.gz", "packed"):
        array = read_idx(tmp_path / name)
        assert array.dtype == np.uint8
        assert array.tolist() == [[0, 1, 2], [3, 4, 5]]
        array[0, 0] = 9  # it is the caller's own


@given(array=hnp.arrays(np.uint8, hnp.array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=4)))
def test_write_then_read(tmp_path_factory, array):
    paths = [tmp_path_factory.mktemp("idx") / "array.gz" for _ in range(2)]
    for path in paths:
        write_idx(path, array)
    np.testing.assert_array_equal(read_idx(paths[0]), array)
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_write_refuses_other_types(tmp_path):
    with pytest.raises(TypeError, match="uint8, not int64"):
        write_idx(tmp_path / "array.gz", np.arange(3))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no bytes at all"),
        (b"<html>", "starts with 3c 68 74 6d"),
        (bytes([0, 0, 13]) + GOOD[3:], "starts with 00 00 0d 02, expected 00 00 08"),
        (GOOD[:9], "cut off in its header: 9 bytes, expected 12"),
        (GOOD[:-1], "is cut off: 17 bytes, expected 18 for 2x3"),
        (GOOD + b"\n", "has trailing bytes: 19 bytes, expected 18 for 2x3"),
        (bytes([0, 0, 8, 77]) + bytes(4 * 77), "77 dimensions, expected at most 32"),
        (bytes([0, 0, 8, 4]) + bytes(4) + b"\xff" * 12, "its shape is 0x4294967295x4294967295x4294967295"),
        (gzip.compress(GOOD)[:-9], "corrupt gzip"),
        (gzip.compress(GOOD)[:15] + b"\xff\xff" + gzip.compress(GOOD)[17:], "corrupt gzip"),
        (gzip.compress(GOOD) + b"more", "corrupt gzip"),
    ],
    ids=["empty", "html", "type", "header", "short", "long", "rank", "shape", "gz short", "gz corrupt", "gz long"],
)
def test_says_what_is_wrong(tmp_path, content, message):
    (tmp_path / "digits").write_bytes(content)
    with pytest.raises(FernnError, match=message) as caught:
        read_idx(tmp_path / "digits")
    assert "fetch it again" in str(caught.value)
    assert str(tmp_path / "digits") in str(caught.value)


def test_missing_file(tmp_path):
    with pytest.raises(FernnError, match=r"cannot read .*digits"):
        read_idx(tmp_path / "digits")


def test_what_swells_beyond_measure_is_not_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr("fernn.data.mnist.LARGEST", 1000)
    (tmp_path / "digits").write_bytes(gzip.compress(bytes(1001)))
    with pytest.raises(FernnError, match="more than 1,000 bytes, unpacked"):
        read_idx(tmp_path / "digits")
