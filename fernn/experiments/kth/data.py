"""Experiment C: the file of all frames of the videos, decoded once, and the files of the clips of each split."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from fernn.arrays import read_arrays
from fernn.data.kth.archives import read_record
from fernn.data.kth.decode import decode_kth
from fernn.datasets.moving_clips import drawn_at_random, in_the_middle, joined, select_clips
from fernn.errors import FernnError, say
from fernn.flows.translation import Translation

Files = dict[str, Path]


def make_frames(
    files: Files, output: Path, *, size: int, most_dropped: float, stand_ins: dict[str, Any] | None
) -> None:
    """Decode the archives in the folder of the record "fetched", on all cores; see `decode_kth`.

    `size`: pixels of a side; `most_dropped`: share of sequences that broken videos may cost. `stand_ins` is what
    synthetic videos were drawn by, or None for the originals: synthetic videos are not kept as the frames are, so where
    they are missing, frames of other ones are known by this.

    Raises:
        FernnError: if the archives are synthetic where originals are expected, or the reverse, or as `decode_kth` does.
    """

    def progress(done: int, total: int) -> None:
        if done == total or done % 50 == 0:
            say(f"{done} of {total} videos")

    archives = files["fetched"].parent
    fetched = read_record(archives)
    if fetched["stand_in"] != (stand_ins is not None):
        expected = "the originals of KTH" if stand_ins is None else "drawn stand-ins"
        raise FernnError(
            f"{archives} holds {fetched['release']}; expected {expected}. Name another folder in kth.source.folder."
        )
    about = decode_kth(archives, output, size, most_dropped=most_dropped, progress=progress)
    for lost in about["dropped"]:
        say(f"dropped {lost['video']} frames {lost['frames']}: {lost['reason']}")
    if known := about.get("originals"):
        compared, different = known["compared"], known["different"]
        say(f"decoded as known: {compared - len(different)} of {compared} known originals")
        for video in different:
            say(
                f"WARNING: {video} is decoded to other frames than known. Is PyAV the version in requirements/lock.txt?"
            )


def make_clips(
    files: Files,
    output: Path,
    *,
    split: str,
    persons: list[int],
    flow: str,
    frames: int,
    stride: int,
    draws: int,
    seed: int,
) -> None:
    """Write the recipes of the clips of a split ("train", "validation" or "test") of the sequences in "frames".

    A clip has `frames` frames, every `stride`-th of its sequence; velocities are uniform on the flow. `draws`:
    how many random places in each sequence clips start from, 0 for its middle; those of "train" are drawn later.

    Raises:
        FernnError: if no sequence of the split is long enough for a clip.
    """
    index, _ = read_arrays(files["frames"])
    clips = select_clips(index, persons, frames, stride, Translation.parse(flow), seed)
    if not len(clips):
        raise FernnError(
            f"the {split} set would hold no clip: no sequence of persons {', '.join(map(str, persons))} has "
            f"{frames * stride} frames. Change frames, stride or persons in kth.data of params.yaml."
        )
    if split != "train":
        drawn = [drawn_at_random(clips, seed, f"evaluate/{split}", draw, flip=0) for draw in range(draws)]
        clips = joined(drawn) if drawn else in_the_middle(clips)
        clips = replace(clips, room=clips.room * 0)  # where they start is settled
    clips.write(output)
