"""Flowing MNIST: the file of the pools of digits."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from fernn.arrays import write_arrays
from fernn.data.mnist import TRAIN_IMAGES, load_mnist
from fernn.datasets.digits import digit_pools


@dataclass(frozen=True)
class PoolInputs:
    """What the pools of digits depend on: pixels along a side, share of digits held out, seed of the split."""

    digit: int
    held_out: float
    seed: int


def make_pools(inputs: PoolInputs, files: dict[str, Path], output: Path, say: Callable[[str], None]) -> None:
    """Write the pools of digits, made of the files of MNIST, which lie in one folder."""
    mnist = files[TRAIN_IMAGES].parent
    pools = digit_pools(load_mnist(mnist), inputs.digit, inputs.held_out, inputs.seed)
    write_arrays(output, pools, {}, packed=tuple(pools))
