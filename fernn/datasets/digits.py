"""Pools of MNIST digits: which ones training, validation and test may use, at the size that frames need."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fernn.data.mnist import Mnist
from fernn.datasets.counter import words


def digit_pools(mnist: Mnist, size: int, held_out: float, seed: int) -> dict[str, Tensor]:
    """Split the digits; no digit is in two pools.

    The released code splits sequences, not digits: its validation draws from the digits that it trains on.

    Args:
        mnist: the digits, or a part of them.
        size: pixels along each side, a divisor of 28; smaller digits are area averages.
        held_out: share of the training digits that is for validation.
        seed: of the split of the training digits.

    Returns:
        "train", "validation" and "test": (N, size, size) uint8.
    """
    images = mnist.train_images
    order = np.argsort(words(seed, "split", 0, 0, len(images), 1)[:, 0], kind="stable")
    validation = round(held_out * len(images))
    pools = {
        "train": images[np.sort(order[validation:])],
        "validation": images[np.sort(order[:validation])],
        "test": mnist.test_images,
    }
    return {name: torch.from_numpy(_averaged(digits, size)) for name, digits in pools.items()}


def _averaged(digits: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    factor = digits.shape[-1] // size
    if factor == 1:
        return digits
    blocks = digits.reshape(len(digits), size, factor, size, factor).mean((2, 4), dtype=np.float64)
    return np.rint(blocks).astype(np.uint8)
