"""All annotated sequences of KTH as small grey frames, in one file with an index and a record."""

import hashlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from fernn.arrays import write_arrays
from fernn.data.kth.archives import members, open_archive, read_record
from fernn.data.kth.parallel import in_order
from fernn.data.kth.release import ACTIONS, ANNOTATIONS, ARCHIVES, Annotations, Video, read_annotations
from fernn.data.kth.video import GREY, Decoded, decode_video
from fernn.errors import FernnError, listed
from fernn.files import sha256

LISTED = 5  # dropped sequences told in an error
# as published: person01_boxing_d4, 370 frames declared, 304 decodable
KNOWN_BROKEN = {"9c6a972f1268aab20ee3aca6609c5686d6170a92b03a362deaa6b5c7920689d1"}
INDEX = ("person", "label", "scenario", "sequence", "start", "length", "offset")


class Job(NamedTuple):
    """One video, and the archive that it is a member of, with the names of all its members."""

    archive: Path
    names: frozenset[str]
    video: Video
    sequences: tuple[range, ...]


def decode_kth(
    folder: str | Path,
    path: str | Path,
    size: int,
    most_dropped: float,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Decode every video that `fetch_kth` brought to `folder`, once, and write the frames of its sequences to `path`.

    A sequence that its video does not hold to the last frame is dropped and listed in the record. The bytes of the file
    do not depend on the number of cores. `fernn.arrays` reads it; it has the arrays

    - `frames` (N, size, size) uint8, packed: the sequences one after the other, in the order of the annotations; grey
      from 0 to 255, each pixel the mean of the area that it covers;
    - `person` (1 to 25), `label` (index in `ACTIONS`), `scenario` (1 to 4), `sequence` (from 1, as annotated), `start`
      (first frame in its video, from 0), `length` (frames), `offset` (first frame in `frames`): (S,) int64 each;

    and the record in its head.

    Args:
        folder: of the archives.
        path: file to write, whole or not at all.
        size: pixels along each side of a frame.
        most_dropped: greatest share of sequences that may be dropped; of the official ones it is 1 in 2391.
        progress: told of the videos that are done and of their total.

    Returns:
        The record: the release's name, whether it is a stand-in, the digests of the inputs, size and conversion,
        actions, numbers, missing videos and dropped sequences with the reason of each.

    Raises:
        FernnError: if the files are not those that were fetched, are missing or broken, if too many sequences are
            dropped, or if the file cannot be written.
    """
    folder = Path(folder)
    fetched = read_record(folder)
    inputs = _inputs(folder, fetched)
    annotations = read_annotations(folder / ANNOTATIONS)
    jobs = _jobs(folder, annotations)
    total = sum(len(job.sequences) for job in jobs)
    frames = np.empty((sum(len(each) for job in jobs for each in job.sequences), size, size), np.uint8)
    index: list[tuple[int, ...]] = []
    dropped: list[dict[str, Any]] = []
    end = 0
    for done, (job, decoded) in enumerate(zip(jobs, in_order(partial(_decode, size), jobs), strict=True), 1):
        video = job.video
        for number, sequence in enumerate(job.sequences, 1):
            if sequence.stop > len(decoded.frames):
                dropped.append(_dropped(video, number, sequence, decoded))
                continue
            index.append((video.person, video.label, video.scenario, number, sequence.start, len(sequence), end))
            frames[end : end + len(sequence)] = decoded.frames[sequence.start : sequence.stop]
            end += len(sequence)
        if progress:
            progress(done, len(jobs))
    if len(dropped) > most_dropped * total:
        raise _too_many(dropped, total, most_dropped)
    about = {
        "kind": "frames of KTH",
        "release": fetched["release"],
        "stand_in": fetched["stand_in"],
        "inputs": inputs,
        "size": size,
        "grey": GREY,
        "actions": ACTIONS,
        "videos": len(jobs),
        "sequences": len(index),
        "frames": end,
        "missing": [video.name for video in annotations.missing],
        "dropped": dropped,
    }
    columns = np.array(index, np.int64).reshape(-1, len(INDEX)).T
    write_arrays(path, {"frames": frames[:end], **dict(zip(INDEX, columns, strict=True))}, about, packed=("frames",))
    return about


def _inputs(folder: Path, fetched: dict[str, Any]) -> dict[str, str]:
    """The sha256 of each file. FernnError if it is not the one that was fetched and checked."""
    inputs = {}
    for file, told in fetched["files"].items():
        if not (folder / file).is_file():
            raise FernnError(f"{folder / file}: no such file. Bring it there with: fernn fetch kth --scale SCALE")
        inputs[file] = sha256(folder / file)
        if inputs[file] != told["sha256"]:
            raise FernnError(
                f"{folder / file} has changed since it was fetched: found sha256:{inputs[file]}, expected "
                f"sha256:{told['sha256']}. Delete it and run: fernn fetch kth --scale SCALE"
            )
    return inputs


def _jobs(folder: Path, annotations: Annotations) -> list[Job]:
    names = {action: frozenset(members(annotations, action)) for action in ACTIONS}
    return [
        Job(folder / ARCHIVES[video.action], names[video.action], video, sequences)
        for video, sequences in annotations.videos.items()
    ]


def _decode(size: int, job: Job) -> Decoded:
    with open_archive(job.archive, job.names) as archive:
        content = archive.read(job.video.file)
    decoded = decode_video(content, size, wanted=max(sequence.stop for sequence in job.sequences))
    if decoded.ended and hashlib.sha256(content).hexdigest() in KNOWN_BROKEN:
        return decoded._replace(ended=f"{decoded.ended}, as in the official archive")
    return decoded


def _dropped(video: Video, number: int, sequence: range, decoded: Decoded) -> dict[str, Any]:
    why = f" ({decoded.ended})" if decoded.ended else ""
    return {
        "video": video.name,
        "sequence": number,
        "frames": f"{sequence.start + 1}-{sequence.stop}",  # as annotated
        "reason": f"the video ends after frame {len(decoded.frames)}{why}",
    }


def _too_many(dropped: list[dict[str, Any]], total: int, most: float) -> FernnError:
    told = [f"{d['video']}, sequence {d['sequence']}, frames {d['frames']}: {d['reason']}" for d in dropped]
    return FernnError(
        f"{len(dropped)} of {total} sequences are not whole, expected no more than {most:.1%} of them:"
        f"{listed(told, LISTED)}\n"
        "Do the archives and the annotations belong together? Delete those that are in doubt and run: "
        "fernn fetch kth --scale SCALE"
    )
