"""When a figure does what: the sequences of a video, and the lines that annotate them, oddities included."""

from collections.abc import Mapping
from itertools import pairwise

import numpy as np

from fernn.data.kth.annotations import MISSING
from fernn.data.kth.release import LOST, Video
from fernn.data.standins.figure import GAITS, PERIODS

SEQUENCES = 4  # of a video
WIDTH, HEIGHT = 160, 120  # pixels
TALL = 80.0  # pixels of a figure of the ordinary height
GAP = 2  # frames between two crossings, at least
SHORTEST = 24  # frames of an annotated sequence

HEADER = """
These are stand-ins, drawn by a program: no video here shows a person. Figures of
25 kinds perform six classes of actions in four different conditions. They are
annotated in the format of the KTH actions, so that whatever reads the ones can
read the others: the frames of each sequence, from the first to the last, counted
from 1.\x20

"""


def plan(video: Video, frames: int, seed: int) -> tuple[range, ...]:
    """The sequences of a video of `frames` frames, from 0, each its end excluded.

    In-place actions follow one another without a pause; who crosses the frame is not in it all the time.
    """
    slot = frames // SEQUENCES
    rng = np.random.default_rng([seed, 1, video.person, video.label, video.scenario])
    jitter = rng.integers(-(slot // 20), slot // 20 + 1, SEQUENCES - 1)
    cuts = [0, *(slot * (1 + np.arange(SEQUENCES - 1)) + jitter).tolist(), frames]
    sequences = []
    for number, (start, end) in enumerate(pairwise(cuts)):
        if video.action in GAITS:
            crossing = int((WIDTH + 0.5 * TALL) / speed(video.action))
            longest = SHORTEST + 6 if number == 0 and (video.person, video.action) == (17, "running") else crossing
            end = min(end - GAP, start + longest)
        sequences.append(range(start, end))
    return tuple(sequences)


def speed(action: str) -> float:
    """Of a figure that crosses the frame, in pixels per frame; 0 for the actions in place."""
    return GAITS[action].stride * TALL / GAITS[action].period if action in GAITS else 0.0


def period(action: str) -> float:
    """Frames of one repetition."""
    return GAITS[action].period if action in GAITS else PERIODS[action]


def annotate(sequences: Mapping[Video, tuple[range, ...]], missing: frozenset[Video] = LOST) -> str:
    r"""The text of 00sequences.txt, with the oddities of the official one.

    Lines end in \r\n and may carry blanks, some sequences are out of order or overlap, a video is missing, and one has
    three sequences where all others have four.
    """
    lines = HEADER.split("\n")
    videos = sorted({*sequences, *missing}, key=lambda video: video.name)
    for before, video in zip([None, *videos], videos, strict=False):
        if before and before.person != video.person:
            lines.append("")
        if video in missing:
            lines.append(f"{video.name}\t{MISSING}")
            continue
        name = video.name + (" " * 4 if video.person in (11, 14) and video.scenario == 4 else "")
        ranges = ", ".join(f"{each.start + 1}-{each.stop}" for each in _odd(video, sequences[video]))
        lines.append(name + ("\t\t" if len(name) < 24 else "\t") + f"frames\t{ranges}")
    return "\r\n".join([*lines, ""])


def _odd(video: Video, sequences: tuple[range, ...]) -> tuple[range, ...]:
    first, second, third, fourth = sequences
    match video.person, video.action:
        case 7, "jogging" | "running":
            return first, third, second, fourth
        case 17, "boxing":
            return first, range(second.start - 1, second.stop), third, fourth
        case 21, "boxing":
            return first, second, range(third.start - 10, third.stop), fourth
        case 15, "boxing":
            return first, second, third
    return sequences
