"""Experiment B: the files of fixed sequences."""

from dataclasses import dataclass
from pathlib import Path

from fernn.datasets.rotating import RecipeBook
from fernn.experiments.flowing_digits.sequences import SequencesInputs, write_sequences
from fernn.flows.rotation import Rotation


@dataclass(frozen=True)
class RotatingInputs(SequencesInputs):
    """What a fixed set of sequences depends on; a recipe holds for frames of any size.

    Attributes:
        degrees: the smallest turn per frame of the flow.
    """

    degrees: float


def make_sequences(inputs: RotatingInputs, digits: Path, output: Path) -> None:
    """Write the recipes of a fixed set of sequences of the pools in the file `digits`."""
    flow = Rotation.parse(inputs.flow, inputs.degrees)

    def book(pool: int) -> RecipeBook:
        return RecipeBook(inputs.seed, inputs.stream, pool, inputs.digits, flow)

    write_sequences(inputs, book, digits, output)
