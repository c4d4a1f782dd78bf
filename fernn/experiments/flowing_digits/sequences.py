"""Flowing MNIST: the files of fixed sequences. Training sequences have none: they are drawn while training."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from fernn.datasets.sequences import Book, write_recipes
from fernn.datasets.storage import read_arrays


@dataclass(frozen=True)
class SequencesInputs:
    """What a fixed set of sequences depends on, whatever its kind of flow.

    Attributes:
        stream: name in the random generator; sets of different names are independent.
        pool: the digits it uses, "validation" or "test".
        flow: velocities are uniform on it.
        sequences: number of them.
        digits: digits in each.
        seed: of the data set.
    """

    stream: str
    pool: str
    flow: str
    sequences: int
    digits: int
    seed: int


def write_sequences(inputs: SequencesInputs, book: Callable[[int], Book], digits: Path, output: Path) -> None:
    """Draw the recipes of a fixed set of sequences and write them.

    Args:
        inputs: see there.
        book: what they are drawn from, by the number of digits to choose from.
        digits: the file of the pools.
        output: the file to write.
    """
    pools, about = read_arrays(digits)
    recipes = book(len(pools[inputs.pool])).draw(inputs.sequences)
    write_recipes(output, recipes, {"inputs": asdict(inputs), "digits": about})
