"""Flowing MNIST: the file of the pools of digits."""

from dataclasses import asdict, dataclass
from pathlib import Path

from fernn.data.mnist import load_mnist, mnist_digests
from fernn.datasets.digits import digit_pools
from fernn.datasets.storage import write_arrays


@dataclass(frozen=True)
class DigitsInputs:
    """What the pools of digits depend on: pixels along a digit's side, seed of the split."""

    digit: int
    seed: int


def make_digits(inputs: DigitsInputs, mnist: Path, output: Path) -> None:
    """Write the pools of digits, made of the MNIST files in the folder `mnist`."""
    pools = digit_pools(load_mnist(mnist), inputs.digit, inputs.seed)
    about = {"inputs": asdict(inputs), "mnist": mnist_digests(mnist)}
    write_arrays(output, pools, about, packed=tuple(pools))
