"""Stand-ins for the whole data set: six archives, their annotations, and their release with its digests."""

import zipfile
from collections.abc import Collection
from functools import partial
from pathlib import Path

from fernn.data.digests import Digest
from fernn.data.kth.parallel import in_order
from fernn.data.kth.release import ACTIONS, ANNOTATIONS, ARCHIVES, FILES, LOST, Release, Video, write_release
from fernn.data.standins.film import cut, encode, film
from fernn.data.standins.plan import SEQUENCES, SHORTEST, annotate, plan
from fernn.files import atomic, remove_leftovers, sha256

NAME = "drawn stand-ins for the KTH actions"
RELEASE = "release.json"
CUT_OFF = Video(1, "boxing", 4)  # as in the originals, its file ends within the last sequence
EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time of a zip archive: no clock in the files


def make_standins(
    folder: str | Path,
    persons: Collection[int],
    scenarios: Collection[int],
    frames: int,
    seed: int = 0,
    workers: int | None = None,
) -> Release:
    """Draw the videos and write the six archives, `00sequences.txt` and `release.json`, which tells their digests.

    The bytes depend on the arguments alone, save the number of workers, and on the versions of numpy and PyAV.

    Args:
        folder: where to; created if need be.
        persons: some of 1 to 25.
        scenarios: some of 1 to 4.
        frames: of each video, four sequences of about a quarter of them (fewer where a runner is out of sight).
        seed: of all that is drawn by chance.
        workers: processes; all cores if None.

    Returns:
        The release, as `fetch_kth` takes it: with it the stand-ins pass the same checks as the originals.
    """
    folder = Path(folder)
    if frames < SEQUENCES * (SHORTEST + 4):
        raise ValueError(f"frames is {frames}; expected at least {SEQUENCES * (SHORTEST + 4)}")
    everything = {Video(person, action, s) for person in persons for action in ACTIONS for s in scenarios}
    for file in FILES:
        remove_leftovers(folder / file)
    videos = sorted(everything - LOST, key=lambda video: (ACTIONS.index(video.action), video))
    contents = in_order(partial(_content, frames, seed), videos, workers)
    for action, file in ARCHIVES.items():
        with atomic(folder / file) as temporary, zipfile.ZipFile(temporary, "w") as archive:
            for video in [video for video in videos if video.action == action]:
                archive.writestr(_member(video.file), next(contents))
    text = annotate({video: plan(video, frames, seed) for video in videos}, LOST & everything)
    with atomic(folder / ANNOTATIONS) as temporary:
        temporary.write_bytes(text.encode("ascii"))
    digests = {file: (Digest("sha256", sha256(folder / file)),) for file in FILES}
    release = Release(NAME, digests, frozenset(videos), LOST & everything, stand_in=True)
    write_release(folder / RELEASE, release)
    return release


def _content(frames: int, seed: int, video: Video) -> bytes:
    sequences = plan(video, frames, seed)
    content = encode(film(video, sequences, frames, seed))
    if video == CUT_OFF:
        content = cut(content, (sequences[-1].start + sequences[-1].stop) // 2)
    return content


def _member(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, EPOCH)
    info.compress_type = zipfile.ZIP_DEFLATED
    info.create_system = 3  # the same on every system
    info.external_attr = 0o644 << 16
    return info
