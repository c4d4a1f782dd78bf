"""Experiment A: the data set's files. Training sequences have none: they are drawn while training."""

from dataclasses import asdict, dataclass
from pathlib import Path

from fernn.data.mnist import load_mnist, mnist_digests
from fernn.datasets.digits import digit_pools
from fernn.datasets.storage import read_arrays, write_arrays
from fernn.datasets.translating import RecipeBook, write_recipes
from fernn.flows.translation import Translation


@dataclass(frozen=True)
class DigitsInputs:
    """What the pools of digits depend on: pixels along a digit's side, seed of the split."""

    digit: int
    seed: int


@dataclass(frozen=True)
class SequencesInputs:
    """What a fixed set of sequences depends on.

    Attributes:
        stream: name in the random generator; sets of different names are independent.
        pool: the digits it uses, "validation" or "test".
        flow: velocities are uniform on it.
        sequences: number of them.
        digits: digits in each.
        frame: side of the torus in pixels.
        seed: of the data set.
    """

    stream: str
    pool: str
    flow: str
    sequences: int
    digits: int
    frame: int
    seed: int


def make_digits(inputs: DigitsInputs, mnist: Path, output: Path) -> None:
    """Write the pools of digits, made of the MNIST files in the folder `mnist`."""
    pools = digit_pools(load_mnist(mnist), inputs.digit, inputs.seed)
    about = {"inputs": asdict(inputs), "mnist": mnist_digests(mnist)}
    write_arrays(output, pools, about, packed=tuple(pools))


def make_sequences(inputs: SequencesInputs, digits: Path, output: Path) -> None:
    """Write the recipes of a fixed set of sequences of the pools in the file `digits`."""
    pools, about = read_arrays(digits)
    pool = len(pools[inputs.pool])
    book = RecipeBook(inputs.seed, inputs.stream, pool, inputs.digits, inputs.frame, Translation.parse(inputs.flow))
    write_recipes(output, book.draw(inputs.sequences), {"inputs": asdict(inputs), "digits": about})
