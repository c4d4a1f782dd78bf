"""Experiment C: all frames of the videos, decoded once."""

from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from fernn.data.kth.decode import decode_kth


@dataclass(frozen=True)
class FramesInputs:
    """What the frames depend on: pixels along a side, and the share of sequences that broken videos may cost."""

    size: int
    most_dropped: float


def make_frames(inputs: FramesInputs, fetched: Path, output: Path) -> None:
    """Decode the archives in the folder of the record `fetched`, on all cores."""
    console = Console(stderr=True)

    def progress(done: int, total: int) -> None:
        if done == total or done % 50 == 0:
            console.print(f"{done} of {total} videos", highlight=False)

    record = decode_kth(fetched.parent, output, inputs.size, most_dropped=inputs.most_dropped, progress=progress)
    for lost in record["dropped"]:
        console.print(f"dropped {lost['video']} frames {lost['frames']}: {lost['reason']}", highlight=False)
