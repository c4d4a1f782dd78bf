"""Experiment C: the clips of a split, with a velocity for each sequence."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from fernn.arrays import read_arrays
from fernn.datasets.moving_clips import drawn_at_random, in_the_middle, joined, select_clips
from fernn.errors import FernnError
from fernn.flows.translation import Translation


@dataclass(frozen=True)
class ClipsInputs:
    """What the clips of a split depend on.

    Attributes:
        split: "train", "validation" or "test".
        persons: of the split.
        flow: velocities are uniform on it.
        frames: of a clip.
        stride: frames of the sequence between two of the clip.
        draws: random places in each sequence that the clips of a test start from; 0 for its middle. The clips of
            validation start from one.
        seed: of the data set.
    """

    split: str
    persons: tuple[int, ...]
    flow: str
    frames: int
    stride: int
    draws: int
    seed: int


def make_clips(inputs: ClipsInputs, files: dict[str, Path], output: Path, say: Callable[[str], None]) -> None:
    """Write the recipes of a split of the sequences in the file "frames".

    Raises:
        FernnError: if no sequence of the split is long enough for a clip.
    """
    index, _ = read_arrays(files["frames"])
    flow = Translation.parse(inputs.flow)
    clips = select_clips(index, list(inputs.persons), inputs.frames, inputs.stride, flow, inputs.seed)
    if not len(clips):
        raise FernnError(
            f"the {inputs.split} set would hold no clip: no sequence of persons {', '.join(map(str, inputs.persons))} "
            f"has {inputs.frames * inputs.stride} frames. Change frames, stride or persons in kth.data of params.yaml."
        )
    if inputs.split != "train":
        draws = inputs.draws if inputs.split == "test" else min(inputs.draws, 1)
        stream = f"evaluate/{inputs.split}"
        drawn = [drawn_at_random(clips, inputs.seed, stream, draw, flip=0) for draw in range(draws)]
        clips = joined(drawn) if drawn else in_the_middle(clips)
        clips = replace(clips, room=clips.room * 0)  # where they lie is settled
    clips.write(output)
