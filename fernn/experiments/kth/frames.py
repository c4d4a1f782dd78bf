"""Experiment C: all frames of the videos, decoded once."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fernn.data.kth.archives import read_record
from fernn.data.kth.decode import decode_kth
from fernn.errors import FernnError


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


def make_frames(inputs: FramesInputs, files: dict[str, Path], output: Path, say: Callable[[str], None]) -> None:
    """Decode the archives in the folder of the record "fetched", on all cores; see `decode_kth`.

    Raises:
        FernnError: if they are stand-ins where originals are expected, or the reverse, or as `decode_kth` does.
    """

    def progress(done: int, total: int) -> None:
        if done == total or done % 50 == 0:
            say(f"{done} of {total} videos")

    archives = files["fetched"].parent
    fetched = read_record(archives)
    if fetched["stand_in"] != (inputs.stand_ins is not None):
        expected = "the originals of KTH" if inputs.stand_ins is None else "drawn stand-ins"
        raise FernnError(
            f"{archives} holds {fetched['release']}; expected {expected}. Name another folder in kth.source.folder."
        )
    about = decode_kth(archives, output, inputs.size, most_dropped=inputs.most_dropped, progress=progress)
    for lost in about["dropped"]:
        say(f"dropped {lost['video']} frames {lost['frames']}: {lost['reason']}")
