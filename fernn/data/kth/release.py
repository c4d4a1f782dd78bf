"""A release of the data set: its videos, its files with their digests, and its annotations, 00sequences.txt."""

import csv
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NamedTuple

from fernn.data.digests import Digest
from fernn.errors import FernnError, listed
from fernn.files import write_json

ACTIONS = ("walking", "jogging", "running", "boxing", "handwaving", "handclapping")  # a label is an index here
PERSONS = range(1, 26)
SCENARIOS = range(1, 5)  # outdoors, outdoors with another scale, outdoors in other clothes, indoors
ANNOTATIONS = "00sequences.txt"
ARCHIVES = {action: f"{action}.zip" for action in ACTIONS}
FILES = (ANNOTATIONS, *ARCHIVES.values())  # the small one first: what is wrong at all shows early
MISSING = "*missing*"
LINE = re.compile(r"(?P<name>[^\t]*?) *\t+(?:frames\t+(?P<ranges>[^\t]*)|(?P<missing>\*missing\*))\s*")
RANGE = re.compile(r"([0-9]{1,6})-([0-9]{1,6})")
LISTED = 8  # faults listed in one message


@dataclass(frozen=True, order=True)
class Video:
    """One video: a person (1 to 25) performs an action, a few times over, in a scenario (1 to 4)."""

    person: int
    action: str
    scenario: int

    @property
    def name(self) -> str:
        """As in the annotations, such as "person01_boxing_d1"."""
        return f"person{self.person:02}_{self.action}_d{self.scenario}"

    @property
    def file(self) -> str:
        """Its name in the archive of its action."""
        return f"{self.name}_uncomp.avi"

    @property
    def label(self) -> int:
        """The class: 0 to 5, in the order of `ACTIONS`."""
        return ACTIONS.index(self.action)


@dataclass(frozen=True)
class Release:
    """The files of a data set with their accepted digests, and the videos in them.

    `missing` videos are named by the annotations and exist nowhere. `stand_in`: all videos are synthetic.
    """

    name: str
    digests: Mapping[str, tuple[Digest, ...]]
    videos: frozenset[Video]
    missing: frozenset[Video]
    stand_in: bool = False


LOST = frozenset({Video(13, "handclapping", 3)})

# boxing.zip has two accepted digests: one project published its sha1, another its sha256, and we never saw whether they
# name the same bytes.
OFFICIAL = Release(
    name="KTH actions",
    digests={
        file: tuple(map(Digest.parse, digests))
        for file, digests in {
            "00sequences.txt": ["sha256:6331f4e4d0d820f306a46c40f82afc39f2486cc8723fe15f4742c14c261ccba7"],
            "walking.zip": ["sha1:a3e81537271a0ab4576591774baa38c2d97b7e3a"],
            "jogging.zip": ["sha1:21943bdbcef9dad106db0d74661e49eaeaa15a25"],
            "running.zip": ["sha1:da83bb313edfd4455fffdda6263696fa10d43c6f"],
            "boxing.zip": [
                "sha1:adb36ed9c29c846d44d2ba15f348bd115c951bbd",
                "sha256:09437744bd760b3ba628d0315d12e2b6a7f86f5fbd41a316583bb4e3d5f09f20",
            ],
            "handwaving.zip": ["sha1:0792f7cd69f7f895a205c08ac212ddaa7177e370"],
            "handclapping.zip": ["sha1:d3b81261aa822ef63d0d1523f945bfaff27814d2"],
        }.items()
    },
    videos=frozenset(Video(p, a, s) for p in PERSONS for a in ACTIONS for s in SCENARIOS) - LOST,
    missing=LOST,
)


class Original(NamedTuple):
    """What is known of one official video, by its file: a row of originals.csv.

    `frames` can be decoded. The last digest is that of the first `last_annotated` frames at 32x32 pixels, as
    `decode_video` makes them. It is empty for the one broken video, which we have not seen.
    """

    file: str
    sha256: str
    frames: int
    last_annotated: int
    sha256_of_32x32_frames: str


@cache
def originals() -> dict[str, Original]:
    """The known official videos, by file name."""
    with open(Path(__file__).with_name("originals.csv"), newline="") as file:
        rows = [*csv.reader(file)][1:]
    return {
        name: Original(name, sha256, int(frames), int(last), decoded) for name, sha256, frames, last, decoded in rows
    }


def parse_video(name: str) -> Video:
    """The video of that name. ValueError if no video can have it."""
    person, action, scenario = [*name.split("_"), "", ""][:3]
    known = {f"person{p:02}": p for p in PERSONS}, {f"d{s}": s for s in SCENARIOS}
    if person not in known[0] or action not in ACTIONS or scenario not in known[1] or name.count("_") != 2:
        expected = f"person01 ... person25, an action ({', '.join(ACTIONS)}) and d1 ... d4, joined by _"
        raise ValueError(f"{name!r} is no video; expected {expected}")
    return Video(known[0][person], action, known[1][scenario])


def write_release(path: str | Path, release: Release) -> None:
    """Write a release as JSON."""
    content = {
        "name": release.name,
        "stand_in": release.stand_in,
        "digests": {file: list(map(str, digests)) for file, digests in release.digests.items()},
        "videos": sorted(video.name for video in release.videos),
        "missing": sorted(video.name for video in release.missing),
    }
    write_json(path, content)


def read_release(path: str | Path) -> Release:
    """Read what `write_release` wrote. FernnError if it is missing or malformed."""
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
        return Release(
            name=content["name"],
            digests={file: tuple(map(Digest.parse, content["digests"][file])) for file in FILES},
            videos=frozenset(map(parse_video, content["videos"])),
            missing=frozenset(map(parse_video, content["missing"])),
            stand_in=bool(content["stand_in"]),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        reason = f"{type(error).__name__}: {error}"[:200]
        raise FernnError(f"{path} does not describe a release ({reason}). Rebuild it with its archives") from error


class Annotations(NamedTuple):
    """The sequences of each video, and the missing videos, both in the order of the file.

    A sequence is a `range` of frame numbers from 0. The sequences of a video may be out of order and may overlap.
    """

    videos: Mapping[Video, tuple[range, ...]]
    missing: tuple[Video, ...]


def read_annotations(path: str | Path) -> Annotations:
    r"""Read 00sequences.txt.

    The file starts with a header in prose. A line of a video has its name, tabs (after blanks), `frames`, tabs and its
    sequences, such as `1-95, 96-185`: first and last frame, from 1; or `*missing*` instead of `frames` and sequences.
    Lines end in \n or \r\n; blanks at their ends and empty lines are ignored.

    Raises:
        FernnError: if the file cannot be read or holds no video, and for malformed lines, with their numbers.
    """
    try:
        lines = Path(path).read_bytes().decode("ascii").split("\n")
    except OSError as error:
        raise FernnError(f"cannot read {path}: {error}. Fetch it: fernn fetch kth --scale SCALE") from error
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
                raise ValueError(f"{video.name} is on line {seen[video]} already")
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
    """The video of a line, and its sequences or None if it is missing. ValueError if malformed."""
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
