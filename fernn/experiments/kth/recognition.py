"""Test clips that evaluations kept for figures, and the record of the videos."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field, PositiveInt, ValidationError

from fernn.arrays import read_about
from fernn.layout import Layout
from fernn.results.values import ResultFile, read_samples
from fernn.runs import Run


class Dropped(BaseModel):
    """A sequence that its video does not hold to the end; `frames` as annotated, from 1, both ends included."""

    video: str
    sequence: int
    frames: str
    reason: str


class Videos(BaseModel):
    """The record of the decoded videos. `stand_in`: they were drawn by a program and are not KTH."""

    release: str
    stand_in: bool
    actions: list[str] = Field(min_length=2)
    videos: PositiveInt
    sequences: PositiveInt
    missing: list[str]
    dropped: list[Dropped]

    @property
    def warning(self) -> str:
        """What a figure of stand-ins says at its head; empty for the originals."""
        return "Drawn stand-in videos, not KTH: nothing here says anything about KTH" if self.stand_in else ""


@dataclass(frozen=True)
class ShownClips:
    """Test clips (S, T, 1, H, W) float32 in [0, 1], their true labels (S,), and a model's logits (S, classes)."""

    clip: NDArray[np.float32]
    label: NDArray[np.int64]
    logits: NDArray[np.float32]


def read_clips(layout: Layout, run: Run) -> ShownClips:
    """The test clips that a run's evaluation kept for figures.

    Raises:
        FernnError: if samples.safetensors is missing or has other arrays.
    """
    return ShownClips(*read_samples(layout, run, "clip", "label", "logits"))


def frames_file(layout: Layout) -> Path:
    """Where the decoded videos lie."""
    return layout.dataset("kth", "frames")


def read_videos(layout: Layout) -> Videos:
    """The record of the decoded videos, from the head of their file.

    Raises:
        FernnError: if the file is missing or has no such record.
    """
    file = ResultFile(frames_file(layout), f"dataset kth/frames --scale {layout.scale}")
    try:
        return Videos.model_validate(read_about(file.path))
    except FileNotFoundError:
        raise file.missing() from None
    except ValidationError as error:
        first = error.errors()[0]
        found = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
        raise file.broken(f"no record of the videos ({found})") from None
    except (OSError, ValueError) as error:
        raise file.broken(f"no record of the videos ({error})") from None
