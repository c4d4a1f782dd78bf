"""What an experiment with flowing digits says of its own: how digits move; and what network predicts them, a `Model`.

Both are frozen dataclasses of plain values, and stand in the inputs of a run; so their code, in a module for each
experiment, belongs to its results and to no other's.
"""

from collections.abc import Mapping, Sequence
from typing import ClassVar, Protocol

from torch import Tensor

from fernn.datasets.sequences import Recipes, Sampler, Velocity

Grid = Sequence[tuple[Velocity, Mapping[str, float]]]  # velocities, each with its name in evaluation.json


class Motion(Protocol):
    """How digits move.

    Attributes:
        centred: whether digits stay in the middle of the frame, so that the rim of a larger one is mostly black.
    """

    centred: ClassVar[bool]

    def sampler(self, flow: str, seed: int, stream: str, pool: int, digits: int) -> Sampler:
        """The distribution of recipes.

        Args:
            flow: velocities are uniform on its generators.
            seed: of the data set.
            stream: name in the random generator; sets of different names are independent.
            pool: number of digits to choose from.
            digits: digits in a sequence.
        """

    def render(self, pool: Tensor, recipes: Recipes, frames: int, side: int) -> Tensor:
        """Frames (N, T, 1, side, side) of N recipes.

        Args:
            pool: (P, h, w) uint8 or float32, the digits, 0 to 255.
            recipes: at frame t, a digit has moved by start + t * velocity.
            frames: T.
            side: of a frame in pixels.
        """

    def grid(self, flow: str) -> Grid:
        """The velocities of a flow's generators, the one that is shown in figures last."""
