"""Synthetic videos in the format of KTH: an ellipse before a still background, whose motion tells the action.

They stand in for the originals, which may not be redistributed: same codec, container, file names, archives and
annotations, oddities included, so they pass the same download, checks and decoding. `serve` serves a folder of them.
"""

import io
import threading
import zipfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from fernn.data.digests import Digest
from fernn.data.kth.parallel import in_order
from fernn.data.kth.release import ACTIONS, ANNOTATIONS, ARCHIVES, FILES, LOST, MISSING, Release, Video, write_release
from fernn.files import atomic, remove_leftovers, sha256

NAME = "synthetic videos in the format of KTH"
WIDTH, HEIGHT, RATE = 160, 120, 25  # pixels, pixels, frames per second
QUANTIZER = 4  # 1 is best, 31 worst
SEQUENCES, SHORTEST = 4, 24  # sequences of a video; frames of the shortest sequence
CROSSING = 48  # frames until a runner has left the picture
PERIOD = 24.0  # frames of an oscillation
CUT_OFF = Video(1, "boxing", 4)  # as in the originals, its file ends within the last sequence
EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time of a zip archive: no clock in the files
HEADER = """
These are stand-ins, drawn by a program: no video here shows a person. They are
annotated in the format of the KTH actions: the frames of each sequence, from the
first to the last, counted from 1.\x20

"""

Frames = NDArray[np.uint8]
Series = NDArray[np.float64]  # (T,): a number for each frame


def make_standins(
    folder: str | Path, persons: Collection[int], scenarios: Collection[int], frames: int, seed: int = 0
) -> Release:
    """Write the six archives, `00sequences.txt` and `release.json`, which holds their digests.

    The bytes depend on the arguments and on the versions of numpy and PyAV alone.

    Args:
        folder: created if need be.
        persons: some of 1 to 25.
        scenarios: some of 1 to 4.
        frames: of each video; a sequence has about a quarter of them.
        seed: of all random draws.

    Returns:
        The release that `fetch_kth` takes to check the files as it checks the originals.

    Raises:
        ValueError: if `frames` is too small.
    """
    folder = Path(folder)
    if frames < SEQUENCES * (SHORTEST + 4):
        raise ValueError(f"frames is {frames}; expected at least {SEQUENCES * (SHORTEST + 4)}")
    everything = {Video(person, action, s) for person in persons for action in ACTIONS for s in scenarios}
    for file in FILES:
        remove_leftovers(folder / file)
    videos = sorted(everything - LOST, key=lambda video: (video.label, video))
    contents = in_order(partial(_content, frames, seed), videos)
    for action, file in ARCHIVES.items():
        with atomic(folder / file) as temporary, zipfile.ZipFile(temporary, "w") as archive:
            for video in [video for video in videos if video.action == action]:
                archive.writestr(_member(video.file), next(contents))
    text = annotate({video: plan(video, frames, seed) for video in videos}, LOST & everything)
    with atomic(folder / ANNOTATIONS) as temporary:
        temporary.write_bytes(text.encode("ascii"))
    digests = {file: (Digest("sha256", sha256(folder / file)),) for file in FILES}
    release = Release(NAME, digests, frozenset(videos), LOST & everything, stand_in=True)
    write_release(folder / "release.json", release)
    return release


def plan(video: Video, frames: int, seed: int) -> tuple[range, ...]:
    """The sequences of a video of `frames` frames, from 0; after each run the picture is empty for a while."""
    slot = frames // SEQUENCES
    rng = np.random.default_rng([seed, 1, video.person, video.label, video.scenario])
    jitter = rng.integers(-(slot // 20), slot // 20 + 1, SEQUENCES - 1)
    cuts = [0, *(slot * (1 + np.arange(SEQUENCES - 1)) + jitter).tolist(), frames]
    longest = [CROSSING if video.action == "running" else frames] * SEQUENCES
    if (video.person, video.action) == (17, "running"):
        longest[0] = SHORTEST + 6
    return tuple(range(cuts[i], min(cuts[i + 1], cuts[i] + longest[i])) for i in range(SEQUENCES))


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
        first, second, third, fourth = sequences[video]
        ordered = [first, second, third, fourth]
        match video.person, video.action:
            case 7, "jogging" | "running":
                ordered = [first, third, second, fourth]
            case 15, "boxing":
                ordered = [first, second, third]
            case 17, "boxing":
                ordered = [first, range(second.start - 1, second.stop), third, fourth]
            case 21, "boxing":
                ordered = [first, second, range(third.start - 10, third.stop), fourth]
        name = video.name + (" " * 4 if video.person in (11, 14) and video.scenario == 4 else "")
        ranges = ", ".join(f"{each.start + 1}-{each.stop}" for each in ordered)
        lines.append(name + ("\t\t" if len(name) < 24 else "\t") + f"frames\t{ranges}")
    return "\r\n".join([*lines, ""])


def film(video: Video, frames: int, seed: int) -> Frames:
    """The (frames, HEIGHT, WIDTH) grey frames, 0 to 255, of a video."""
    person = np.random.default_rng([seed, 2, video.person])
    size, tempo, contrast, thinner = person.uniform([22, 0.9, 110, 80], [28, 1.1, 140, 110])
    if video.scenario == 3:  # other clothes
        contrast = thinner
    rng = np.random.default_rng([seed, 3, video.person, video.label, video.scenario])
    time = np.arange(frames, dtype=np.float64)
    sizes = np.full(frames, size)
    if video.scenario == 2:  # the camera zooms
        sizes *= 1 + 0.22 * np.sin(2 * np.pi * (time / (0.9 * frames) + rng.random()))
    x, y, wide, tall, angle = _motion(video, plan(video, frames, seed), time, tempo, rng)
    x += WIDTH / 2 + rng.uniform(-10, 10)
    y += HEIGHT / 2 + rng.uniform(-5, 5)
    row, column = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
    place = np.full((HEIGHT, WIDTH), 60 if video.scenario == 4 else 90, np.float32)  # it is darker indoors
    for _ in range(6):
        down, across = rng.uniform(-2.5, 2.5, 2)
        wave = 2 * np.pi * (down * row / HEIGHT + across * column / WIDTH + rng.random())
        place += 4 * np.cos(wave, dtype=np.float32)
    shots = np.empty((frames, HEIGHT, WIDTH), np.uint8)
    values = np.stack([x, y, np.cos(angle), np.sin(angle), sizes * wide, sizes * tall], axis=1).astype(np.float32)
    for shot, (x0, y0, cosine, sine, a, b) in zip(shots, values, strict=True):
        along, beside = (column - x0) * cosine + (row - y0) * sine, (row - y0) * cosine - (column - x0) * sine
        cover = np.clip((1 - np.sqrt((along / a) ** 2 + (beside / b) ** 2)) * 8 + 0.5, 0, 1)  # a soft edge
        shot[:] = np.rint(np.clip(place + cover * np.float32(contrast), 0, 255))
    return shots


def _motion(
    video: Video, sequences: tuple[range, ...], time: Series, tempo: float, rng: np.random.Generator
) -> tuple[Series, Series, Series, Series, Series]:
    """Position in pixels from the middle, half axes in units of the size, and angle of the ellipse, by frame."""
    x, y, angle = np.zeros((3, len(time)))
    wide, tall = np.full((2, len(time)), [[0.6], [1.0]])
    swing = np.sin(2 * np.pi * (tempo * time / PERIOD + rng.random()))
    way = np.zeros(len(time))  # there and back, one way in each sequence
    side = rng.choice([-1.0, 1.0])
    for start, end in pairwise([*(sequence.start for sequence in sequences), len(time)]):
        middle = (min(end - start, CROSSING) - 1) / 2
        way[start:end] = side * tempo * (time[start:end] - start - middle)
        side = -side
    match video.action:
        case "walking":  # upright, slow
            x, wide, tall = 0.7 * way, wide * 0.5, tall * 0.9
        case "jogging":  # up and down, stretched upwards
            y, tall = 12 * swing, 1.5 + 0.5 * swing
        case "running":  # flat, fast
            x, wide, tall = 3.0 * way, wide * 1.6, tall * 0.4
        case "boxing":  # from side to side, stretched sideways
            x, wide, tall = 12 * swing, 1.56 + 0.54 * swing, tall * 0.7
        case "handwaving":  # turns
            angle, wide, tall = 2 * np.pi * (tempo * time / (1.5 * PERIOD) + rng.random()), wide * 0.5, tall * 2.6
        case "handclapping":  # grows and shrinks
            wide = tall = 1.6 + 0.6 * swing
    return x, y, wide, tall, angle


def encode(frames: Frames) -> bytes:
    """The AVI file (codec MPEG-4 part 2, tag DIVX) of grey frames (T, H, W); same frames, same bytes."""
    count, height, width = frames.shape
    planes = np.full((count, height * 3 // 2, width), 128, np.uint8)  # luma above, colour below: none
    planes[:, :height] = (16 + (frames.astype(np.uint32) * (2 * 219) + 255) // (2 * 255)).astype(np.uint8)
    file = io.BytesIO()
    # bitexact: no version and no time in the file
    with av.open(file, "w", format="avi", options={"fflags": "bitexact"}) as container:
        stream = container.add_stream("mpeg4", rate=RATE, options={"flags": "+bitexact"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        context = stream.codec_context
        context.codec_tag = "DIVX"
        context.qmin = context.qmax = QUANTIZER
        context.thread_count = 1
        for number, plane in enumerate(planes):
            frame = av.VideoFrame.from_ndarray(plane, format="yuv420p")
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return file.getvalue()


def cut(content: bytes, frame: int) -> bytes:
    """An AVI file cut off in the middle of a frame (counted from 0); the frames before it are whole."""
    with av.open(io.BytesIO(content), "r", format="avi") as container:
        packet = [packet for packet in container.demux(video=0) if packet.size][frame]
    assert packet.pos is not None
    return content[: packet.pos + packet.size // 2]


@contextmanager
def serve(folder: str | Path) -> Iterator[str]:
    """Serve the files of `folder` on a free port of the loopback interface, in a `with` block; yields the base URL."""
    http = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, directory=str(folder)))
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{http.server_address[1]}/"
    finally:
        http.shutdown()
        http.server_close()
        thread.join()


class _Handler(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


def _content(frames: int, seed: int, video: Video) -> bytes:
    content = encode(film(video, frames, seed))
    if video == CUT_OFF:
        content = cut(content, int(np.mean(plan(video, frames, seed)[-1])))
    return content


def _member(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, EPOCH)
    info.compress_type = zipfile.ZIP_DEFLATED
    info.create_system = 3  # the same on every system
    info.external_attr = 0o644 << 16
    return info
