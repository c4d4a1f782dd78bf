"""The IDX format of MNIST: unsigned bytes in an array of any number of dimensions."""

import gzip
import math
import struct
import zlib
from pathlib import Path

import numpy as np

from fernn.errors import FernnError
from fernn.files import atomic

UNSIGNED_BYTE = 0x08
LARGEST = 1 << 28  # bytes, unpacked; the largest file of MNIST has 47 million
RANKS = 32
CURE = "Delete it and fetch it again"
GZIP_MAGIC = b"\x1f\x8b"


def read_idx(path: str | Path) -> np.ndarray:
    """The array of an IDX file, plain or gzipped (told by its content): uint8 in the shape that the header gives.

    Raises FernnError if the file is missing, is no IDX file of unsigned bytes, is cut off, or has bytes too many.
    """
    content = read_plain(path)
    if len(content) < 4 or content[:3] != bytes([0, 0, UNSIGNED_BYTE]):
        found = content[:4].hex(" ") or "no bytes at all"
        raise FernnError(f"{path} is no IDX file of unsigned bytes: it starts with {found}, expected 00 00 08. {CURE}")
    rank = content[3]
    if rank > RANKS:
        raise FernnError(f"{path} is damaged: it has {rank} dimensions, expected at most {RANKS}. {CURE}")
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
    except ValueError as error:  # none of one dimension, far too many of another
        raise FernnError(f"{path} is damaged: its shape is {'x'.join(map(str, shape))} ({error}). {CURE}") from error


def write_idx(path: str | Path, array: np.ndarray) -> None:
    """Write a uint8 array as a gzipped IDX file; the same array gives the same bytes (no time, no name)."""
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
                content = plain.read(LARGEST + 1)  # what is packed may swell beyond measure
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise FernnError(f"{path} is a corrupt gzip file ({error}). {CURE}") from error
    except OSError as error:
        raise FernnError(f"cannot read {path}: {error}") from error
    if len(content) > LARGEST:
        raise FernnError(f"{path} has more than {LARGEST:,} bytes, unpacked: no file of MNIST has. {CURE}")
    return content
