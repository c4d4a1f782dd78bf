"""The section of params.yaml of experiment `collision`: that of translations, digits that meet, and mixing."""

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field, model_validator

from fernn.experiments.translation.params import (
    TranslationArchitecture,
    TranslationData,
    TranslationParams,
    TranslationRuns,
)
from fernn.params.base import Count, Size


class CollisionData(TranslationData):
    """Colliding MNIST: digits collide when their centres are closer than `contact` pixels."""

    digits: Annotated[Size, Field(ge=2, le=2)]
    seen: Annotated[Size, Field(ge=2)]
    contact: Size

    @model_validator(mode="after")
    def _room(self) -> "CollisionData":
        if 2 * self.contact > self.frame:
            raise ValueError(f"contact is {self.contact}; it can be half of frame ({self.frame} pixels) at most")
        return self


class CollisionArchitecture(TranslationArchitecture):
    """The predictor of experiment A; `mixing` is how far its cell couples generators."""

    mixing: Count


class CollisionRuns(TranslationRuns):
    """Trainings; digits of one velocity never meet, so there is no test of velocities."""

    evaluate: Annotated[Sequence[Literal["test", "length"]], Field(min_length=1)]


class CollisionParams(TranslationParams):
    """Experiment `collision`."""

    data: CollisionData
    architecture: CollisionArchitecture
    runs: list[CollisionRuns]  # type: ignore[assignment]
