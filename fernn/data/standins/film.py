"""Grey videos of a figure in a place, as MPEG-4 in AVI with the tag of the originals."""

import io
from dataclasses import dataclass

import av
import numpy as np
from numpy.typing import NDArray

from fernn.data.kth.release import Video
from fernn.data.standins.drawing import paint
from fernn.data.standins.figure import GAITS, Limb, Series, pose
from fernn.data.standins.plan import HEIGHT, TALL, WIDTH, period, speed

BATCH = 96  # frames painted at once
GROUND = 110.0  # row of the ground under the feet of a figure
RATE = 25  # frames per second
QUANTIZER = 4  # 1 is best, 31 worst
CONTRAST = 70.0  # between clothes and what is behind, at least


@dataclass(frozen=True)
class Person:
    """What makes one person differ from another; 1 is ordinary."""

    height: float
    build: float
    tempo: float
    swing: float
    tones: dict[str, float]


def film(video: Video, sequences: tuple[range, ...], frames: int, seed: int) -> NDArray[np.uint8]:
    """Film a video: (frames, HEIGHT, WIDTH) grey, 0 to 255.

    Args:
        video: who does what where.
        sequences: when; from the start of one to the start of the next the figure does the same.
        frames: length of the video.
        seed: of all stand-ins.
    """
    rng = np.random.default_rng([seed, 2, video.person, video.label, video.scenario])
    place = _place(video.scenario, rng)
    person = _person(video, seed, float(place[40:100].mean()))
    x, phase, facing = _way(video, person, sequences, frames, rng)
    tall = np.full(frames, TALL * person.height)
    if video.scenario == 2:  # the camera zooms
        tall *= 1 + 0.22 * np.sin(2 * np.pi * (np.arange(frames) / (0.9 * frames) + rng.random()))
    grain = rng.normal(0, 1.5, (HEIGHT + 32, WIDTH + 32)).astype(np.float32)
    corners = rng.integers(0, 32, (frames, 2))
    shots = []
    for first in range(0, frames, BATCH):
        part = slice(first, first + BATCH)
        shot = np.repeat(place[None], len(x[part]), axis=0)
        _paint(shot, pose(video.action, phase[part], person.swing), x[part], tall[part], facing[part], person)
        for frame, (row, column) in zip(shot, corners[part], strict=True):
            frame += grain[row : row + HEIGHT, column : column + WIDTH]
        shots.append(np.clip(np.rint(shot), 0, 255).astype(np.uint8))
    return np.concatenate(shots)


def encode(frames: NDArray[np.uint8]) -> bytes:
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
    """An AVI file cut off in the middle of a frame (counted from 0), so that the frames before it are whole."""
    with av.open(io.BytesIO(content), "r", format="avi") as container:
        packet = [packet for packet in container.demux(video=0) if packet.size][frame]
    assert packet.pos is not None
    return content[: packet.pos + packet.size // 2]


def _paint(
    shot: NDArray[np.float32], limbs: list[Limb], x: Series, tall: Series, facing: Series, person: Person
) -> None:
    def pixels(point: Series) -> Series:
        return np.stack([x + facing * tall * point[:, 0], GROUND - tall * point[:, 1]], axis=1)

    feet = np.broadcast_to([0.13, 0.0], (len(x), 2))
    shadow = Limb(pixels(-feet), pixels(feet), 2.2, 2.2, "shadow")
    paint(shot, shadow, float(shot[0, -10:].mean()) * 0.55, opacity=0.5)
    thick = person.build * tall
    for limb in limbs:
        placed = Limb(pixels(limb.a), pixels(limb.b), limb.radius_a * thick, limb.radius_b * thick, limb.tone)
        paint(shot, placed, person.tones[limb.tone])


def _way(
    video: Video, person: Person, sequences: tuple[range, ...], frames: int, rng: np.random.Generator
) -> tuple[Series, Series, Series]:
    """Column, phase and facing (1 to the right, -1 to the left) in each frame."""
    time = np.arange(frames, dtype=np.float64)
    phase = 2 * np.pi * (time * person.tempo / period(video.action) + rng.random())
    x, facing = np.empty(frames), np.empty(frames)
    side = rng.choice([-1.0, 1.0])
    stand = WIDTH / 2 + rng.uniform(-14, 14)
    starts = [*(sequence.start for sequence in sequences), frames]
    for number, sequence in enumerate(sequences):
        part = slice(starts[number], starts[number + 1])
        if video.action in GAITS:  # there and back
            facing[part] = side if number % 2 else -side
            middle = WIDTH / 2 + rng.uniform(-10, 10)
            way = speed(video.action) * person.tempo * person.height
            x[part] = middle + facing[part] * way * (time[part] - (sequence.start + sequence.stop) / 2)
        else:
            facing[part] = side
            x[part] = stand
    return x, phase, facing


def _person(video: Video, seed: int, behind: float) -> Person:
    rng = np.random.default_rng([seed, 3, video.person])
    height, build = rng.uniform(0.88, 1.1), rng.uniform(0.85, 1.2)
    tempo, swing = rng.uniform(0.88, 1.12), rng.uniform(0.85, 1.15)
    if video.scenario == 3:  # other, thicker clothes
        rng = np.random.default_rng([seed, 4, video.person])
        build *= 1.15
    shirt, trousers = (_tone(rng, behind) for _ in range(2))
    skin = _apart(rng.uniform(120, 170), behind, CONTRAST / 2)
    sleeves = skin if rng.random() < 0.3 else np.clip(shirt + rng.uniform(-18, 18), 0, 255)
    tones = {"shirt": shirt, "trousers": trousers, "sleeves": sleeves, "skin": skin, "hair": rng.uniform(20, 70)}
    return Person(height, build, tempo, swing, {**tones, "shoes": rng.uniform(15, 60)})


def _tone(rng: np.random.Generator, behind: float) -> float:
    return _apart(rng.uniform(20, 120) if rng.random() < 0.75 else rng.uniform(180, 240), behind, CONTRAST)


def _apart(tone: float, behind: float, contrast: float) -> float:
    """The tone, moved away from what is behind the figure if it is too near."""
    if abs(tone - behind) >= contrast:
        return tone
    return behind - contrast if tone < behind or behind + contrast > 240 else behind + contrast


def _place(scenario: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """(HEIGHT, WIDTH) of a meadow under the sky (scenarios 1 to 3) or of a room (4)."""
    row, column = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float64)
    indoors = scenario == 4
    far, near = (
        (rng.uniform(95, 125), rng.uniform(60, 85)) if indoors else (rng.uniform(175, 205), rng.uniform(150, 180))
    )
    edge = rng.uniform(88, 96) if indoors else rng.uniform(50, 75)
    place = far + (near - far) / (1 + np.exp(-(row - edge) / (1.5 if indoors else 6.0)))
    place += rng.uniform(-22, 22) * (column / WIDTH - 0.5)  # light from a side
    for _ in range(6):
        waves = rng.uniform(-4, 4, 2) if indoors else rng.uniform(-10, 10, 2)
        angle = 2 * np.pi * (waves[0] * row / HEIGHT + waves[1] * column / WIDTH + rng.random())
        place += (1.0 if indoors else 2.0) * np.cos(angle)
    return place.astype(np.float32)
