"""00sequences.txt: which frames of each video hold one performance of its action."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from fernn.data.kth.release import Video, parse_video
from fernn.errors import FernnError, listed

MISSING = "*missing*"
LINE = re.compile(r"(?P<name>[^\t]*?) *\t+(?:frames\t+(?P<ranges>[^\t]*)|(?P<missing>\*missing\*))\s*")
RANGE = re.compile(r"([0-9]{1,6})-([0-9]{1,6})")
LISTED = 8  # faults told in one message


class Annotations(NamedTuple):
    """The sequences of each video, and the videos that are said to be missing, both in the order of the file.

    A sequence is a `range` of frame numbers that count from 0; its end is not part of it. The sequences of a video are
    as the file gives them: they need not be in order and may overlap.
    """

    videos: Mapping[Video, tuple[range, ...]]
    missing: tuple[Video, ...]


def read_annotations(path: str | Path) -> Annotations:
    r"""Read 00sequences.txt.

    A prose header goes before the first video. A line of a video is its name, tabs (blanks may go before them),
    `frames`, tabs and its sequences, such as `1-95, 96-185`: from the first to the last frame, counted from 1. In place
    of `frames` and the sequences there may be `*missing*`. Lines end in \n or \r\n; blanks at their ends and empty
    lines mean nothing.

    Raises:
        FernnError: if the file cannot be read or holds no video, and for each malformed line, with its number.
    """
    try:
        lines = Path(path).read_bytes().decode("ascii").split("\n")
    except OSError as error:
        raise FernnError(f"cannot read {path}: {error}. Bring it there with: fernn fetch kth --scale SCALE") from error
    except UnicodeDecodeError as error:
        number = error.object[: error.start].count(b"\n") + 1
        raise FernnError(f"{path}, line {number}: byte {error.object[error.start]:#04x}, expected plain text") from None
    videos: dict[Video, tuple[range, ...]] = {}
    seen: dict[Video, int] = {}
    missing = []
    faults = []
    for number, line in enumerate(lines, start=1):
        # no line of the header has a tab; a video's line that lacks its tabs must not pass for prose
        if not line.strip() or not (seen or "\t" in line or re.match("person[0-9]", line)):
            continue
        try:
            video, sequences = _parse(line)
            if video in seen:
                raise ValueError(f"{video.name} stands on line {seen[video]} already")
            seen[video] = number
            if sequences is None:
                missing.append(video)
            else:
                videos[video] = sequences
        except ValueError as error:
            faults.append(f"line {number}: {error}")
    if faults:
        raise FernnError(f"{path}: malformed lines: {len(faults)}{listed(faults, LISTED)}")
    if not videos:
        raise FernnError(f"{path} names no video: is it the right file? Delete it and fetch it again")
    return Annotations(videos, tuple(missing))


def _parse(line: str) -> tuple[Video, tuple[range, ...] | None]:
    """The video of a line and its sequences, or None if it is missing. ValueError if malformed."""
    match = LINE.fullmatch(line)
    if match is None:
        raise ValueError(f"{line.strip()!r}; expected a video, tabs, and `frames`, tabs, sequences or `{MISSING}`")
    video = parse_video(match["name"])
    if match["missing"]:
        return video, None
    return video, tuple(_sequence(text) for text in match["ranges"].rstrip().split(", "))


def _sequence(text: str) -> range:
    match = RANGE.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no sequence; expected such as 1-95, with a comma and a blank between two")
    first, last = int(match[1]), int(match[2])
    if not 1 <= first <= last:
        raise ValueError(f"sequence {text}: expected the first frame, 1 or more, and the last, not before it")
    return range(first - 1, last)
