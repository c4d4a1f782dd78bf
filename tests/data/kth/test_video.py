import hashlib
import io
import os
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fernn.data.kth import decode
from fernn.data.kth.decode import area_sums, decode_video
from fernn.data.kth.release import OFFICIAL, Video, originals
from fernn.data.kth.synthetic import cut, encode, film

FRAMES = 112
ORIGINALS = os.environ.get("FERNN_KTH_ORIGINALS")  # a folder of official videos


@pytest.fixture(scope="module")
def frames() -> np.ndarray:
    return film(Video(3, "running", 1), FRAMES, 0)


@pytest.fixture(scope="module")
def content(frames) -> bytes:
    return encode(frames)


def test_decodes_what_was_filmed(frames, content):
    decoded = decode_video(content, 32, FRAMES)
    assert decoded.ended is None
    assert decoded.frames.shape == (FRAMES, 32, 32)
    assert decoded.frames.dtype == np.uint8
    filmed = area_sums(frames, 32) / (120 * 160)
    errors = [np.abs(decoded.frames[10:-10] - np.roll(filmed, shift, axis=0)[10:-10]).mean() for shift in (-1, 0, 1)]
    assert errors[1] < 1.0
    assert errors[1] < 0.5 * min(errors[0], errors[2])  # each frame in its own place


def test_grey_goes_from_black_to_white():
    for grey in (0, 1, 77, 254, 255):
        decoded = decode_video(encode(np.full((2, 120, 160), grey, np.uint8)), 32, 2)
        assert np.abs(decoded.frames.astype(int) - grey).max() <= 1


def read_as_released(path: Path, size: int) -> np.ndarray:
    """(N, size, size) uint8: every frame of a video in the way of the released code, by OpenCV."""
    capture, frames = cv2.VideoCapture(str(path)), []
    while (read := capture.read())[0]:
        grey = cv2.cvtColor(read[1], cv2.COLOR_BGR2GRAY)
        frames.append(cv2.resize(grey, (size, size), interpolation=cv2.INTER_AREA))
    return np.stack(frames)


def clouds() -> np.ndarray:
    """Smooth random greys from black to white."""
    small = np.random.default_rng(0).integers(0, 256, (24, 9, 12), dtype=np.uint8)
    return np.stack([cv2.resize(frame, (160, 120), interpolation=cv2.INTER_CUBIC) for frame in small])


@pytest.mark.parametrize("size", [32, 12])
@pytest.mark.parametrize("video", [Video(3, "running", 1), Video(7, "handwaving", 2), Video(5, "boxing", 4), None])
def test_at_most_one_grey_level_from_opencv(video, size, tmp_path):
    """OpenCV cuts the stretched luma down to a whole level, we round it: ours is the same or one level brighter."""
    path = tmp_path / "video.avi"
    path.write_bytes(encode(film(video, FRAMES, 0) if video else clouds()))
    theirs = read_as_released(path, size).astype(int)
    ours = decode_video(path.read_bytes(), size, FRAMES).frames
    assert ours.shape == theirs.shape
    assert np.ptp(theirs) > 50  # no blank video
    assert np.abs(ours - theirs).max() <= 1


def test_stops_after_the_last_frame_wanted(content):
    decoded = decode_video(content, 16, 70)
    assert decoded.ended is None
    assert decoded.frames.shape == (70, 16, 16)
    np.testing.assert_array_equal(decoded.frames, decode_video(content, 16, FRAMES).frames[:70])
    assert len(decode_video(content, 16, FRAMES + 10).frames) == FRAMES


@pytest.mark.parametrize("frame", [1, 64, 70, FRAMES - 1])
def test_a_video_that_is_cut_off(content, frame):
    decoded = decode_video(cut(content, frame), 32, FRAMES)
    np.testing.assert_array_equal(decoded.frames, decode_video(content, 32, FRAMES).frames[:frame])
    assert decoded.ended == "the next one is cut off"


def write(codec: str, pixels: str, sizes: list[tuple[int, int]]) -> bytes:
    file = io.BytesIO()
    with av.open(file, "w", format="avi") as container:
        stream = container.add_stream(codec, rate=25)
        (stream.width, stream.height), stream.pix_fmt = sizes[0], pixels
        if pixels.startswith("yuvj"):
            stream.codec_context.color_range = 2
        for number, (width, height) in enumerate(sizes):
            frame = av.VideoFrame.from_ndarray(np.full((height, width, 3), 30, np.uint8), format="rgb24")
            frame = frame.reformat(format=pixels)
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return file.getvalue()


def test_luma_that_needs_no_stretching():
    decoded = decode_video(write("mjpeg", "yuvj420p", [(160, 120)] * 3), 32, 3)
    assert (decoded.frames == 30).all()
    assert len(decoded.frames) == 3


@pytest.mark.parametrize(
    ("content", "ended"),
    [
        (b"", "Invalid data found when processing input"),
        (bytes(5000), "Invalid data found when processing input"),
        (b"#EXTM3U\nfile:///etc/passwd\n", "Invalid data found when processing input"),
        (b"RIFF" + bytes(4), "Invalid data found when processing input"),
        (write("mpeg4", "yuv420p", [(160, 24)] * 2), "the next one has 160x24 pixels"),
        (write("huffyuv", "yuv422p", [(160, 120)] * 2), "the next one is of format yuv422p, expected yuv420p"),
        (write("mpeg4", "yuv420p", [(4112, 48)] * 2), "the next one has 4112x48 pixels"),
        (write("mpeg4", "yuv420p", [(160, 120)] * 2).replace(b"FMP4", b"what"), "its codec is not known"),
    ],
    ids=["empty", "zeros", "playlist", "head", "small", "format", "large", "codec"],
)
def test_what_is_no_such_video(content, ended):
    decoded = decode_video(content, 32, 2)
    assert decoded.frames.shape == (0, 32, 32)
    assert decoded.ended == ended


def test_a_sound():
    file = io.BytesIO()
    with av.open(file, "w", format="avi") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
        frame.rate, frame.pts = 8000, 0
        container.mux(stream.encode(frame))
    assert decode_video(file.getvalue(), 32, 2).ended == "it has no video stream"


def test_the_inverse_dct_is_the_one_that_is_asked_for(content, monkeypatch):
    before = decode_video(content, 32, FRAMES).frames
    assert decode.IDCT == "simple"
    monkeypatch.setattr(decode, "IDCT", "int")
    assert (decode_video(content, 32, FRAMES).frames != before).any()


def test_known_originals_are_of_the_official_release():
    assert {*originals()} <= {video.file for video in OFFICIAL.videos}
    short = [known for known in originals().values() if known.frames < known.last_annotated]
    assert [(known.file, known.frames) for known in short] == [("person01_boxing_d4_uncomp.avi", 304)]
    assert [known for known in originals().values() if not known.sha256_of_32x32_frames] == short
    assert len({known.sha256 for known in originals().values()}) == len(originals()) == 108


@pytest.mark.skipif(not ORIGINALS, reason="FERNN_KTH_ORIGINALS names no folder; the originals may not be redistributed")
@pytest.mark.parametrize("path", sorted(Path(ORIGINALS or "").glob("*.avi") if ORIGINALS else []), ids=lambda p: p.stem)
def test_an_original(path):
    """The known bytes, frames and decode; at most two grey levels from OpenCV, which turns colour planes into grey."""
    known = originals()[path.name]
    assert hashlib.sha256(path.read_bytes()).hexdigest() == known.sha256
    decoded = decode_video(path.read_bytes(), 32, known.frames + 1)
    assert (len(decoded.frames), decoded.ended) == (known.frames, None)
    assert hashlib.sha256(decoded.frames[: known.last_annotated]).hexdigest() == known.sha256_of_32x32_frames
    apart = np.abs(decoded.frames - read_as_released(path, 32).astype(int))
    assert apart.max() <= 2
    assert (apart > 1).mean() < 1e-3


@given(st.integers(1, 9), st.integers(0, 20), st.integers(0, 20), st.integers(0, 2**32 - 1))
def test_area_sums_are_the_mean_over_the_area(size, more_rows, more_columns, seed):
    rows, columns = size + more_rows, size + more_columns
    images = np.random.default_rng(seed).integers(0, 256, (2, rows, columns), dtype=np.uint8)
    # every pixel as size x size smaller ones: then a cell is a block of rows x columns of them
    fine = np.repeat(np.repeat(images, size, axis=1), size, axis=2).astype(np.int64)
    blocks = fine.reshape(2, size, rows, size, columns).sum(axis=(2, 4))
    np.testing.assert_array_equal(area_sums(images, size), blocks)


@pytest.mark.parametrize("shape", [(31, 160), (120, 4097)])
def test_area_sums_refuse_other_sizes(shape):
    with pytest.raises(ValueError, match=rf"images of {shape[1]}x{shape[0]} pixels cannot be averaged down to 32x32"):
        area_sums(np.zeros((1, *shape), np.uint8), 32)
