"""Flowing MNIST: the file of the pools of digits."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from fernn.arrays import write_arrays
from fernn.data.mnist import read_mnist
from fernn.datasets.digits import digit_pools


@dataclass(frozen=True)
class PoolInputs:
    """What the pools of digits depend on: pixels along a side, share of digits held out, seed of the split."""

    digit: int
    held_out: float
    seed: int


def make_pools(inputs: PoolInputs, files: dict[str, Path], output: Path, say: Callable[[str], None]) -> None:
    """Write the pools of digits, made of the four files of MNIST."""
    pools = digit_pools(read_mnist(files), inputs.digit, inputs.held_out, inputs.seed)
    write_arrays(output, pools, {}, packed=tuple(pools))
