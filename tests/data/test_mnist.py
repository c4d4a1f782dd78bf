import gzip
import struct
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra import numpy as hnp

from fernn.data import mnist
from fernn.data.mnist import load_mnist, make_subset, read_idx, read_plain, write_idx
from fernn.errors import FernnError

SUBSET = Path(__file__).parents[2] / "resources" / "mnist-subset"
SUBSET_DIGESTS = {
    "train-images-idx3-ubyte": "1e3ffdb2f57e22d9e5363dde25c2d057542c2e72baa312f0f3b03948bb3802b7",
    "train-labels-idx1-ubyte": "685aeb7baef68233efa643639a5e9c15bb48be09a628f96fb7f606ca2a1ea7bc",
    "t10k-images-idx3-ubyte": "de7c252b04f05e1f8309634180ccdf286dc6dbac8c579b74e76e02ae0331ca52",
    "t10k-labels-idx1-ubyte": "832c0d20f0dc42e575488c75a83a970787d4c8d4d05831b2ef03701b4a478a90",
}


def test_the_tracked_subset():
    digits = load_mnist(SUBSET)
    assert digits.train_images.shape == (mnist.SUBSET_TRAIN, 28, 28)
    assert digits.test_images.shape == (mnist.SUBSET_TEST, 28, 28)
    for name, digest in SUBSET_DIGESTS.items():
        assert sha256(read_plain(SUBSET / f"{name}.gz")).hexdigest() == digest
    assert all(np.bincount(labels).min() >= 80 for labels in (digits.train_labels, digits.test_labels))
    notice = (SUBSET / "README.md").read_text()
    assert "CC BY-SA 3.0" in notice
    assert all(f"| {name} | {digest} |" in notice for name, digest in SUBSET_DIGESTS.items())
    assert sum(path.stat().st_size for path in SUBSET.iterdir()) < 1_000_000


def test_make_subset(tmp_path):
    make_subset(SUBSET, tmp_path, train=40, test=15)
    digits, subset = load_mnist(SUBSET), load_mnist(tmp_path)
    np.testing.assert_array_equal(subset.train_images, digits.train_images[:40])
    np.testing.assert_array_equal(subset.train_labels, digits.train_labels[:40])
    np.testing.assert_array_equal(subset.test_images, digits.test_images[:15])
    np.testing.assert_array_equal(subset.test_labels, digits.test_labels[:15])
    with pytest.raises(FernnError, match="holds 40 and 15 digits of train and test, expected at least 40 and 16"):
        make_subset(tmp_path, tmp_path / "again", train=40, test=16)


def test_plain_files_go_before_gzipped_ones(tmp_path):
    make_subset(SUBSET, tmp_path, train=2, test=2)
    (tmp_path / mnist.TEST_LABELS).write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 2, 7, 7]))
    assert load_mnist(tmp_path).test_labels.tolist() == [7, 7]


@pytest.mark.parametrize(
    ("name", "array", "message"),
    [
        (mnist.TRAIN_LABELS, np.zeros(3, np.uint8), r"train digits .* images \(2, 28, 28\) and labels \(3,\)"),
        (mnist.TEST_IMAGES, np.zeros((2, 32, 32), np.uint8), r"test digits .* expected \(N, 28, 28\)"),
        (mnist.TEST_LABELS, np.full(2, 10, np.uint8), "test labels .* go up to 10, expected 0 to 9"),
    ],
)
def test_images_and_labels_that_do_not_belong_together(tmp_path, name, array, message):
    make_subset(SUBSET, tmp_path, train=2, test=2)
    write_idx(tmp_path / f"{name}.gz", array)
    with pytest.raises(FernnError, match=message):
        load_mnist(tmp_path)


def test_missing_files(tmp_path):
    with pytest.raises(FernnError, match=r"no train-images-idx3-ubyte or .*\.gz in .*fernn fetch mnist"):
        load_mnist(tmp_path)


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
