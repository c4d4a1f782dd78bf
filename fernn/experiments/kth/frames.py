"""Experiment C: all frames of the videos, decoded once."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from fernn.data.kth.decode import decode_kth


@dataclass(frozen=True)
class FramesInputs:
    """What the frames depend on besides the record of the archives.

    Attributes:
        size: pixels along a side.
        most_dropped: share of sequences that broken videos may cost.
        stand_ins: what the stand-ins were drawn by, or None. They are not kept as the frames are, so where they are
            missing, this tells frames of other videos.
    """

    size: int
    most_dropped: float
    stand_ins: dict[str, Any] | None = None


def make_frames(inputs: FramesInputs, fetched: Path, output: Path) -> None:
    """Decode the archives in the folder of the record `fetched`, on all cores."""
    console = Console(stderr=True)

    def progress(done: int, total: int) -> None:
        if done == total or done % 50 == 0:
            console.print(f"{done} of {total} videos", highlight=False)

    record = decode_kth(fetched.parent, output, inputs.size, most_dropped=inputs.most_dropped, progress=progress)
    for lost in record["dropped"]:
        console.print(f"dropped {lost['video']} frames {lost['frames']}: {lost['reason']}", highlight=False)
