"""Experiment A: the files of fixed sequences."""

from dataclasses import dataclass
from pathlib import Path

from fernn.datasets.translating import RecipeBook
from fernn.experiments.flowing_digits.sequences import SequencesInputs, write_sequences
from fernn.flows.translation import Translation


@dataclass(frozen=True)
class TranslatingInputs(SequencesInputs):
    """What a fixed set of sequences depends on.

    Attributes:
        frame: side of the torus in pixels.
    """

    frame: int


def make_sequences(inputs: TranslatingInputs, digits: Path, output: Path) -> None:
    """Write the recipes of a fixed set of sequences of the pools in the file `digits`."""
    flow = Translation.parse(inputs.flow)

    def book(pool: int) -> RecipeBook:
        return RecipeBook(inputs.seed, inputs.stream, pool, inputs.digits, inputs.frame, flow)

    write_sequences(inputs, book, digits, output)
