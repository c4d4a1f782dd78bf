"""Flowing MNIST: the files of its digits and of its fixed sequences; those for training are drawn while training."""

from pathlib import Path

from fernn.arrays import read_arrays, write_arrays
from fernn.data.mnist import read_mnist
from fernn.datasets.digits import digit_pools
from fernn.datasets.sequences import Motion
from fernn.errors import FernnError

Files = dict[str, Path]


def make_digits(files: Files, output: Path, *, digit: int, held_out: float, seed: int) -> None:
    """Write the train / validation / test split of the digits in the four files of MNIST; `digit`: pixels of a side.

    A share `held_out` of MNIST's training digits is for validation. FernnError if a part would have no digit.
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
    *,
    motion: Motion,
    stream: str,
    pool: str,
    flow: str,
    sequences: int,
    digits: int,
    seed: int,
) -> None:
    """Write the recipes of a fixed set of sequences of the pool "validation" or "test" in the file "digits".

    Velocities are uniform on the flow. Sets of different `stream`, a name in the random generator, are independent.
    """
    pools, _ = read_arrays(files["digits"])
    motion.sampler(flow, seed, stream, len(pools[pool]), digits).draw(sequences).write(output)
