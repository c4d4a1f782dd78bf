"""What the recognition of actions left behind: its measures, clips that it named, and the record of the videos."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field, FiniteFloat, NonNegativeInt, PositiveInt, ValidationError

from fernn.arrays import read_about
from fernn.layout import Layout
from fernn.results.reading.runs import ResultFile, evaluated, problem, read_measure, read_samples
from fernn.runs import Run


class Recognition(BaseModel):
    """Share of test clips named rightly, in all and by draw, mean cross entropy, counts by (true, named action)."""

    accuracy: float = Field(ge=0, le=1)
    loss: FiniteFloat
    clips: PositiveInt
    confusion: list[list[NonNegativeInt]]
    draws: list[float] = Field(min_length=1)


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
class Clips:
    """Test clips (S, T, 1, H, W) float32 in [0, 1], their true labels (S,), and a model's logits (S, classes)."""

    clip: NDArray[np.float32]
    label: NDArray[np.int64]
    logits: NDArray[np.float32]


def read_recognition(layout: Layout, run: Run, flow: str, classes: int) -> Recognition:
    """How a run did on the test clips that move by a flow.

    Raises:
        FernnError: if results.csv is missing or malformed, has not this flow, or its counts do not fit together.
    """
    measure = read_measure(layout, run, flow, Recognition)
    counts = measure.confusion
    found = None
    if [len(row) for row in counts] != [classes] * classes:
        found = f"confusion of {flow} is not {classes} rows of {classes} actions"
    elif (total := sum(map(sum, counts))) != measure.clips:
        found = f"confusion of {flow} counts {total} clips, where there are {measure.clips}"
    elif abs((right := sum(counts[i][i] for i in range(classes))) / measure.clips - measure.accuracy) > 1e-6:
        found = f"accuracy of {flow} is {measure.accuracy}, where {right} of {measure.clips} clips are named rightly"
    if found:
        raise evaluated(layout, run).broken(found)
    return measure


def read_clips(layout: Layout, run: Run, classes: int) -> Clips:
    """The test clips that a run's evaluation kept for figures.

    Raises:
        FernnError: if samples.safetensors is missing or has other contents than `Clips`.
    """
    arrays, file = read_samples(layout, run, "clip", "label", "logits")
    clips = Clips(*arrays)
    shape, count = clips.clip.shape, len(clips.label)
    fitting = len(shape) == 5 and shape[0] == count and shape[2] == 1 and 0 not in shape
    if not fitting or clips.label.shape != (count,) or clips.logits.shape != (count, classes):
        raise file.broken(f"shapes clip {shape}, label {clips.label.shape}, logits {clips.logits.shape} do not fit")
    if not all(0 <= label < classes for label in clips.label.tolist()):
        raise file.broken(f"a label in it is none of {classes} actions")
    return clips


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
    except (OSError, ValueError) as error:
        found = problem(error) if isinstance(error, ValidationError) else error
        raise file.broken(f"no record of the videos ({found})") from None
