"""The MNIST digits as arrays, and their IDX format: an array of unsigned bytes.

Yann LeCun, Corinna Cortes, Christopher Burges, "The MNIST database of handwritten digits", CC BY-SA 3.0.
"""

import gzip
import math
import struct
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from fernn.data.digests import Digest
from fernn.errors import FernnError
from fernn.files import atomic

TRAIN_IMAGES, TRAIN_LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"
TEST_IMAGES, TEST_LABELS = "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"
UNSIGNED_BYTE = 0x08
LARGEST = 1 << 28  # bytes, unpacked; the largest file of MNIST has 47 million
RANKS = 32
CURE = "Delete it and fetch it again"
GZIP_MAGIC = b"\x1f\x8b"


class Known(NamedTuple):
    """Size in bytes and digest of an unpacked file."""

    size: int
    sha256: Digest


FILES = {
    name: Known(size, Digest("sha256", sha256))
    for name, size, sha256 in (
        (TRAIN_IMAGES, 47_040_016, "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"),
        (TRAIN_LABELS, 60_008, "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"),
        (TEST_IMAGES, 7_840_016, "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"),
        (TEST_LABELS, 10_008, "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"),
    )
}
# the subset in this repository: as many digits as stay well below 1,000,000 bytes
SUBSET_TRAIN, SUBSET_TEST = 5000, 1000


class Mnist(NamedTuple):
    """Images (N, 28, 28) and labels (N,), all uint8; ink is bright (255) on black (0)."""

    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray


def load_mnist(folder: str | Path) -> Mnist:
    """Read the four files, plain or gzipped, of the whole set or of a subset, from `folder`.

    Raises FernnError if a file is missing or malformed, or if images and labels do not belong together.
    """
    return read_mnist({name: find(folder, name) for name in FILES})


def read_mnist(files: Mapping[str, Path]) -> Mnist:
    """Read the four files at these paths, by their names in `FILES`; raises FernnError as `load_mnist` does."""
    mnist = Mnist(*(read_idx(files[name]) for name in (TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS)))
    folder = files[TRAIN_IMAGES].parent
    for part, images, labels in (("train", mnist[0], mnist[1]), ("test", mnist[2], mnist[3])):
        if images.ndim != 3 or images.shape[1:] != (28, 28) or labels.shape != images.shape[:1]:
            found = f"images {images.shape} and labels {labels.shape}"
            raise FernnError(f"the {part} digits in {folder} are {found}, expected (N, 28, 28) and (N,). {CURE}")
        if labels.size and labels.max() > 9:
            raise FernnError(f"the {part} labels in {folder} go up to {labels.max()}, expected 0 to 9. {CURE}")
    return mnist


def make_subset(source: str | Path, folder: str | Path, train: int = SUBSET_TRAIN, test: int = SUBSET_TEST) -> None:
    """Write the first `train` and the first `test` digits of the set in `source` to `folder`, gzipped.

    Raises FernnError if `source` holds fewer.
    """
    mnist = load_mnist(source)
    if len(mnist.train_labels) < train or len(mnist.test_labels) < test:
        found = f"{len(mnist.train_labels)} and {len(mnist.test_labels)}"
        raise FernnError(f"{source} holds {found} digits of train and test, expected at least {train} and {test}")
    for name, array, count in zip(
        (TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS), mnist, (train, train, test, test), strict=True
    ):
        write_idx(Path(folder) / f"{name}.gz", array[:count])


def find(folder: str | Path, name: str) -> Path:
    """The path of the file `name` in `folder`, or else of `<name>.gz`. FernnError if neither exists."""
    for path in (Path(folder) / name, Path(folder) / f"{name}.gz"):
        if path.is_file():
            return path
    raise FernnError(f"there is no {name} or {name}.gz in {folder}. Fetch it: fernn fetch mnist --scale SCALE")


def read_idx(path: str | Path) -> np.ndarray:
    """The uint8 array of an IDX file, plain or gzipped (detected by its content), in the shape of its header.

    FernnError if the file is missing, is no IDX file of unsigned bytes, or is too short or too long.
    """
    content = read_plain(path)
    if len(content) < 4 or content[:3] != bytes([0, 0, UNSIGNED_BYTE]):
        found = content[:4].hex(" ") or "no bytes at all"
        raise FernnError(f"{path} is no IDX file of unsigned bytes: it starts with {found}, expected 00 00 08. {CURE}")
    rank = content[3]
    if rank > RANKS:
        raise FernnError(f"{path} is corrupt: it has {rank} dimensions, expected at most {RANKS}. {CURE}")
    start = 4 + 4 * rank
    if len(content) < start:
        raise FernnError(f"{path} is cut off in its header: {len(content)} bytes, expected {start}. {CURE}")
    shape = struct.unpack_from(f">{rank}I", content, 4)
    expected = start + math.prod(shape)
    if len(content) != expected:
        fault = "is cut off" if len(content) < expected else "has trailing bytes"
        wanted = f"{expected:,} for {'x'.join(map(str, shape))}"
        raise FernnError(f"{path} {fault}: {len(content):,} bytes, expected {wanted}. {CURE}")
    try:
        return np.frombuffer(content, np.uint8, offset=start).reshape(shape).copy()
    except ValueError as error:  # one dimension is 0, another far too large
        raise FernnError(f"{path} is corrupt: its shape is {'x'.join(map(str, shape))} ({error}). {CURE}") from error


def write_idx(path: str | Path, array: np.ndarray) -> None:
    """Write a uint8 array as a gzipped IDX file; equal arrays give equal bytes."""
    if array.dtype != np.uint8:
        raise TypeError(f"an IDX file here holds uint8, not {array.dtype}")
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, UNSIGNED_BYTE, array.ndim, *array.shape)
    with atomic(path) as temporary:
        temporary.write_bytes(gzip.compress(header + array.tobytes(), compresslevel=9, mtime=0))


def read_plain(path: str | Path) -> bytes:
    """The bytes of a file, unpacked if they are gzipped. FernnError if it cannot be read, is corrupt or too large."""
    try:
        with open(path, "rb") as file:
            packed = file.peek(2).startswith(GZIP_MAGIC)
            with gzip.GzipFile(fileobj=file) if packed else file as plain:
                content = plain.read(LARGEST + 1)  # a small gzip file may unpack to a huge one
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise FernnError(f"{path} is a corrupt gzip file ({error}). {CURE}") from error
    except OSError as error:
        raise FernnError(f"cannot read {path}: {error}") from error
    if len(content) > LARGEST:
        raise FernnError(f"{path} has more than {LARGEST:,} bytes, unpacked: no file of MNIST has. {CURE}")
    return content
