"""The record of the decoded videos: what they are, and what of them could not be used."""

from pathlib import Path

from pydantic import BaseModel, Field, PositiveInt, ValidationError

from fernn.arrays import read_about
from fernn.layout import Layout
from fernn.results.values import ResultFile


class Dropped(BaseModel):
    """A sequence that its video does not hold to the end."""

    video: str
    sequence: int
    frames: str  # as annotated, from 1, both ends included
    reason: str


class Compared(BaseModel):
    """How many decodes of originals were compared with known digests, and the videos that differ."""

    compared: int
    different: list[str]


class Videos(BaseModel):
    """The record; `stand_in` if a program drew the videos."""

    release: str
    stand_in: bool
    actions: list[str] = Field(min_length=2)
    videos: PositiveInt
    sequences: PositiveInt
    missing: list[str]
    dropped: list[Dropped]
    originals: Compared | None = None

    @property
    def warning(self) -> str:
        """For the head of a figure of stand-ins; empty for the originals."""
        return "Drawn stand-in videos, not KTH: nothing here says anything about KTH" if self.stand_in else ""


def frames_file(layout: Layout) -> Path:
    """The decoded videos."""
    return layout.dataset("kth", "frames")


def read_videos(layout: Layout) -> Videos:
    """The record in the head of their file.

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
