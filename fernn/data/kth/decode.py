"""All annotated sequences of KTH as small grey frames, in one file with an index and a record.

Frames are converted in integers, so the bytes are the same on every machine, whatever its vector units.
"""

import hashlib
import io
from collections.abc import Callable
from functools import partial, reduce
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import av
import numpy as np
from numpy.typing import NDArray

from fernn.arrays import write_arrays
from fernn.data.kth.archives import in_order, members, open_archive, read_record
from fernn.data.kth.release import ACTIONS, ANNOTATIONS, ARCHIVES, Video, originals, read_annotations
from fernn.errors import FernnError, listed
from fernn.files import sha256

LISTED = 5  # dropped sequences listed in an error
# FFmpeg picks the inverse DCT by what the machine has; this one gives the same bits on all machines. Others (int, xvid,
# faani) change 10 to 53 % of the values of seven originals at 32x32 pixels, by up to 10 levels.
IDCT = "simple"
KNOWN_SIZE = 32  # pixels along a side of the frames whose digests originals.csv holds
INDEX = ("person", "label", "scenario", "sequence", "start", "length", "offset")
LARGEST = 4096  # pixels along a side, so that sums fit
BATCH = 64  # frames averaged at once
GREY = "BT.601 luma, 16...235 stretched to 0...255, as a conversion to RGB and back to grey does"
# each luma of 16 ... 235 in 0 ... 255, rounded
STRETCHED = ((2 * 255 * (np.clip(np.arange(256), 16, 235) - 16) + 219) // (2 * 219)).astype(np.uint8)
FULL_RANGE = 2  # of FFmpeg's colour ranges: this luma is 0...255 already


class Job(NamedTuple):
    """One video, and its archive with the names of all members."""

    archive: Path
    names: frozenset[str]
    video: Video
    sequences: tuple[range, ...]


class Decoded(NamedTuple):
    """Frames (N, size, size) uint8 from the start of a video, and the error that ended it early, if any.

    `as_known`: whether the frames of a known original have the known digest; None where there is none to compare with.
    """

    frames: NDArray[np.uint8]
    ended: str | None
    as_known: bool | None = None


def decode_kth(
    folder: str | Path,
    path: str | Path,
    size: int,
    most_dropped: float,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Decode every video that `fetch_kth` stored in `folder`, and write the frames of its sequences to `path`.

    A sequence that its video does not hold to the last frame is dropped and listed in the record. The bytes of the file
    do not depend on the number of cores. `fernn.arrays` reads the file; it has the record in its head, and the arrays

    - `frames` (N, size, size) uint8, packed: all sequences in the order of the annotations; grey from 0 to 255, each
      pixel the mean of the area that it covers;
    - `person` (1 to 25), `label` (index in `ACTIONS`), `scenario` (1 to 4), `sequence` (from 1, as annotated), `start`
      (first frame in its video, from 0), `length` (frames), `offset` (first frame in `frames`): (S,) int64 each.

    Args:
        folder: of the archives.
        path: file to write atomically.
        size: pixels along each side of a frame.
        most_dropped: greatest share of sequences that may be dropped; of the official ones it is 1 in 2391.
        progress: called with the number of finished videos and their total.

    Returns:
        The record: the release, digests of the inputs, size and conversion, actions, counts, missing videos and dropped
        sequences with their reasons. Of originals also "originals": the number of decodes that were compared with known
        digests, and the videos that differ.

    Raises:
        FernnError: if files have changed since they were fetched, are missing or broken, if too many sequences are
            dropped, or if `path` cannot be written.
    """
    folder = Path(folder)
    fetched = read_record(folder)
    inputs = _inputs(folder, fetched)
    annotations = read_annotations(folder / ANNOTATIONS)
    names = {action: frozenset(members(annotations, action)) for action in ACTIONS}
    jobs = [
        Job(folder / ARCHIVES[video.action], names[video.action], video, sequences)
        for video, sequences in annotations.videos.items()
    ]
    total = sum(len(job.sequences) for job in jobs)
    frames = np.empty((sum(len(each) for job in jobs for each in job.sequences), size, size), np.uint8)
    index: list[tuple[int, ...]] = []
    dropped: list[dict[str, Any]] = []
    compared: dict[str, bool] = {}
    end = 0
    for done, (job, decoded) in enumerate(zip(jobs, in_order(partial(_decode, size), jobs), strict=True), 1):
        video = job.video
        if decoded.as_known is not None:
            compared[video.name] = decoded.as_known
        for number, sequence in enumerate(job.sequences, 1):
            if sequence.stop > len(decoded.frames):
                why = f" ({decoded.ended})" if decoded.ended else ""
                dropped.append(
                    {
                        "video": video.name,
                        "sequence": number,
                        "frames": f"{sequence.start + 1}-{sequence.stop}",  # as annotated
                        "reason": f"the video ends after frame {len(decoded.frames)}{why}",
                    }
                )
                continue
            index.append((video.person, video.label, video.scenario, number, sequence.start, len(sequence), end))
            frames[end : end + len(sequence)] = decoded.frames[sequence.start : sequence.stop]
            end += len(sequence)
        if progress:
            progress(done, len(jobs))
    if len(dropped) > most_dropped * total:
        lost = [f"{d['video']}, sequence {d['sequence']}, frames {d['frames']}: {d['reason']}" for d in dropped]
        raise FernnError(
            f"{len(dropped)} of {total} sequences are not whole, expected at most {most_dropped:.1%}:"
            f"{listed(lost, LISTED)}\nDo the archives and the annotations belong together? Delete those that are in "
            "doubt and run: fernn fetch kth --scale SCALE"
        )
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
    if not fetched["stand_in"]:
        different = [name for name, as_known in compared.items() if not as_known]
        about["originals"] = {"compared": len(compared), "different": different}
    columns = np.array(index, np.int64).reshape(-1, len(INDEX)).T
    write_arrays(path, {"frames": frames[:end], **dict(zip(INDEX, columns, strict=True))}, about, packed=("frames",))
    return about


def _inputs(folder: Path, fetched: dict[str, Any]) -> dict[str, str]:
    """The sha256 of each file. FernnError if it is not the one that was fetched."""
    inputs = {}
    for file, entry in fetched["files"].items():
        if not (folder / file).is_file():
            raise FernnError(f"{folder / file}: no such file. Fetch it: fernn fetch kth --scale SCALE")
        inputs[file] = sha256(folder / file)
        if inputs[file] != entry["sha256"]:
            raise FernnError(
                f"{folder / file} has changed since it was fetched: found sha256:{inputs[file]}, expected "
                f"sha256:{entry['sha256']}. Delete it and run: fernn fetch kth --scale SCALE"
            )
    return inputs


def _decode(size: int, job: Job) -> Decoded:
    with open_archive(job.archive, job.names) as archive:
        content = archive.read(job.video.file)
    decoded = decode_video(content, size, wanted=max(sequence.stop for sequence in job.sequences))
    known = originals().get(job.video.file)
    if known is None or known.sha256 != hashlib.sha256(content).hexdigest():
        return decoded
    if decoded.ended and known.frames < known.last_annotated:
        decoded = decoded._replace(ended=f"{decoded.ended}, as in the official archive")
    if size == KNOWN_SIZE and known.sha256_of_32x32_frames:
        digest = hashlib.sha256(decoded.frames[: known.last_annotated].tobytes()).hexdigest()
        decoded = decoded._replace(as_known=digest == known.sha256_of_32x32_frames)
    return decoded


def decode_video(content: bytes, size: int, wanted: int) -> Decoded:
    """Decode the first `wanted` frames of an AVI file to grey frames of `size` x `size` pixels, by area averaging.

    Frames are in presentation order, up to the first one that is cut off or otherwise broken; a file that is no video
    has none.
    """
    full: list[NDArray[np.uint8]] = []
    ended = None
    try:
        # the format is given, not guessed: some that FFmpeg guesses lead it to other files
        with av.open(io.BytesIO(content), "r", format="avi") as container:
            if not container.streams.video:
                raise ValueError("it has no video stream")
            stream = container.streams.video[0]
            if stream.codec_context is None:
                raise ValueError("its codec is not known")
            stream.codec_context.thread_count = 1  # videos are decoded in parallel
            stream.codec_context.options = {"idct": IDCT}
            for frame in islice(container.decode(stream), wanted):
                if frame.is_corrupt:
                    raise ValueError("the next one is cut off")
                sides = (frame.width, frame.height)
                if min(sides) < size or max(sides) > LARGEST or (full and full[0].shape != (frame.height, frame.width)):
                    raise ValueError(f"the next one has {frame.width}x{frame.height} pixels")
                full.append(_grey(frame))
    except av.FFmpegError as error:
        ended = error.strerror
    except ValueError as error:
        ended = str(error)
    small = [np.empty((0, size, size), np.uint8)]
    for first in range(0, len(full), BATCH):
        batch = np.stack(full[first : first + BATCH])
        area = batch.shape[1] * batch.shape[2]
        small.append(((2 * area_sums(batch, size) + area) // (2 * area)).astype(np.uint8))
    return Decoded(np.concatenate(small), ended)


def _grey(frame: av.VideoFrame) -> NDArray[np.uint8]:
    """The (H, W) grey image of a frame. ValueError for a pixel format that no MPEG-4 video has."""
    if frame.format.name not in ("yuv420p", "yuvj420p"):
        raise ValueError(f"the next one is of format {frame.format.name}, expected yuv420p")
    plane = frame.planes[0]
    luma = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)[: frame.height, : frame.width]
    return luma.copy() if frame.color_range == FULL_RANGE else STRETCHED[luma]


def area_sums(images: NDArray[np.uint8], size: int) -> NDArray[np.uint32]:
    """Sum pixels over the cells of a `size` x `size` grid; a pixel on an edge counts by the share inside the cell.

    Args:
        images: (N, H, W) with H and W from `size` to `LARGEST`.
        size: cells along each side.

    Returns:
        (N, size, size): the mean of each cell times H * W.
    """
    rows, columns = images.shape[1:]
    if not size <= min(rows, columns) <= max(rows, columns) <= LARGEST:
        raise ValueError(f"images of {columns}x{rows} pixels cannot be averaged down to {size}x{size}")
    return _summed(_summed(images, 1, size), 2, size)


def _summed(images: NDArray, axis: int, size: int) -> NDArray[np.uint32]:
    """Sums over the cells along one axis."""
    length = images.shape[axis]
    edges = np.arange(size + 1) * length  # in units of 1 / size of a pixel
    first, last = edges[:-1] // size, (edges[1:] - 1) // size
    pixels = first[:, None] + np.arange((last - first).max() + 1)  # (size, K) that each cell touches
    inside = np.minimum(edges[1:, None], (pixels + 1) * size) - np.maximum(edges[:-1, None], pixels * size)
    pixels, weights = np.minimum(pixels, length - 1), np.maximum(inside, 0).astype(np.uint32)
    across = (-1, 1) if axis == 1 else (-1,)
    parts = (images.take(pixels[:, k], axis) * weights[:, k].reshape(across) for k in range(pixels.shape[1]))
    return reduce(np.add, parts)
