"""Flowing MNIST: the files of its digits and of its fixed sequences.

Training sequences have no file: they are drawn while training.
"""

from collections.abc import Callable
from pathlib import Path

from fernn.arrays import read_arrays, write_arrays
from fernn.data.mnist import read_mnist
from fernn.datasets.digits import digit_pools
from fernn.datasets.sequences import Motion
from fernn.errors import FernnError

Files = dict[str, Path]
Say = Callable[[str], None]


def make_digits(files: Files, output: Path, say: Say, *, digit: int, held_out: float, seed: int) -> None:
    """Write the train / validation / test split of the digits in the four files of MNIST.

    Args:
        files: of MNIST, by name.
        output: the file to write.
        say: logs a line.
        digit: pixels along a side.
        held_out: share of MNIST's training digits that is for validation.
        seed: of the split.

    Raises:
        FernnError: if a part of the split would have no digit.
    """
    pools = digit_pools(read_mnist(files), digit, held_out, seed)
    if empty := [name for name, digits in pools.items() if not len(digits)]:
        found = ", ".join(f"{len(digits)} for {name}" for name, digits in pools.items())
        raise FernnError(
            f"data.held_out = {held_out:g} leaves no digit for {' and '.join(empty)} ({found}); a part needs one at "
            "least. Change data.held_out in params.yaml, or the digits in mnist.folder."
        )
    write_arrays(output, pools, {}, packed=tuple(pools))


def make_sequences(
    files: Files,
    output: Path,
    say: Say,
    *,
    motion: Motion,
    stream: str,
    pool: str,
    flow: str,
    sequences: int,
    digits: int,
    seed: int,
) -> None:
    """Write the recipes of a fixed set of sequences of the digits in the file "digits".

    Args:
        files: "digits".
        output: the file to write.
        say: logs a line.
        motion: how digits move.
        stream: name in the random generator; sets of different names are independent.
        pool: the digits it uses, "validation" or "test".
        flow: velocities are uniform on it.
        sequences: number of them.
        digits: digits in each.
        seed: of the data set.
    """
    pools, _ = read_arrays(files["digits"])
    motion.sampler(flow, seed, stream, len(pools[pool]), digits).draw(sequences).write(output)
