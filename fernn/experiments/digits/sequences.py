"""Flowing MNIST: the files of fixed sequences. Training sequences have none: they are drawn while training."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from fernn.arrays import read_arrays
from fernn.experiments.digits.motion import Motion


@dataclass(frozen=True)
class SequencesInputs:
    """What a fixed set of sequences depends on.

    Attributes:
        stream: name in the random generator; sets of different names are independent.
        pool: the digits it uses, "validation" or "test".
        flow: velocities are uniform on it.
        sequences: number of them.
        digits: digits in each.
        seed: of the data set.
        motion: how digits move.
    """

    stream: str
    pool: str
    flow: str
    sequences: int
    digits: int
    seed: int
    motion: Motion


def make_sequences(inputs: SequencesInputs, files: dict[str, Path], output: Path, say: Callable[[str], None]) -> None:
    """Write the recipes of a fixed set of sequences of the pools in the file "digits"."""
    pools, _ = read_arrays(files["digits"])
    drawn = inputs.motion.sampler(inputs.flow, inputs.seed, inputs.stream, len(pools[inputs.pool]), inputs.digits)
    drawn.draw(inputs.sequences).write(output)
