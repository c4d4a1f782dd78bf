"""Random numbers by position: any part of a stream can be drawn alone, with no state to save.

A stream is NumPy's Philox 4x64, keyed by (seed, stream name, epoch); each item has a fixed number of words. Philox is
counter-based, and its raw words are the same on every machine and in every version of NumPy.
"""

import hashlib

import numpy as np
from numpy.typing import NDArray


def words(seed: int, stream: str, epoch: int, first: int, count: int, width: int) -> NDArray[np.uint64]:
    """The random words of items `first` ... `first + count - 1`.

    Args:
        seed: of the data set.
        stream: what is drawn, such as "train".
        epoch: 0 for what is drawn once.
        first: index of the first item.
        count: number of items.
        width: words for each item.

    Returns:
        (count, width) uint64.
    """
    key = np.frombuffer(hashlib.sha256(f"{seed}/{stream}/{epoch}".encode()).digest()[:16], dtype="<u8")
    blocks = -(-width // 4)  # Philox makes four words for each value of its counter
    generator = np.random.Philox(key=key)
    generator.advance(first * blocks)
    drawn: NDArray[np.uint64] = generator.random_raw(count * blocks * 4).reshape(count, blocks * 4)[:, :width]
    return drawn


def below(drawn: NDArray[np.uint64], bound: int | NDArray[np.int64]) -> NDArray[np.int64]:
    """Whole numbers uniform on 0 ... bound - 1 (a bias of at most bound / 2^32); one bound, or one for each word."""
    return ((drawn >> np.uint64(32)) * np.asarray(bound, np.uint64) >> np.uint64(32)).astype(np.int64)


def unit(drawn: NDArray[np.uint64]) -> NDArray[np.float64]:
    """Numbers uniform on [0, 1) with 53 random bits."""
    return (drawn >> np.uint64(11)).astype(np.float64) * 2.0**-53
