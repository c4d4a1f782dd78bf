"""One video, decoded to small grey frames, in whole numbers: the same on every machine, whatever its vector units."""

import io
from functools import reduce
from itertools import islice
from typing import NamedTuple

import av
import numpy as np
from numpy.typing import NDArray

LARGEST = 4096  # pixels along a side, so that sums fit
BATCH = 64  # frames averaged at once
GREY = "BT.601 luma, 16...235 stretched to 0...255, as a conversion to RGB and back to grey does"
# each luma of 16 ... 235 in 0 ... 255, rounded
STRETCHED = ((2 * 255 * (np.clip(np.arange(256), 16, 235) - 16) + 219) // (2 * 219)).astype(np.uint8)
FULL_RANGE = 2  # of FFmpeg's colour ranges: this luma is 0...255 already


class Decoded(NamedTuple):
    """Frames (N, size, size) uint8 from the start of a video, and what ended it if it was not its regular end."""

    frames: NDArray[np.uint8]
    ended: str | None


def decode_video(content: bytes, size: int, wanted: int) -> Decoded:
    """Decode the first `wanted` frames of an AVI file to grey frames of `size` x `size` pixels, by area averaging.

    Frames are counted in the order of showing. What comes after a frame that is cut off or otherwise broken does not
    count; a file that is no video has no frames.
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
            stream.codec_context.thread_count = 1  # whole videos are decoded side by side
            # FFmpeg picks the inverse DCT by what the machine has; this one gives the same bits on all of them
            stream.codec_context.options = {"idct": "simple"}
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
    """The (H, W) grey image of a frame. ValueError if its format is none that MPEG-4 videos have."""
    if frame.format.name not in ("yuv420p", "yuvj420p"):
        raise ValueError(f"the next one is of format {frame.format.name}, expected yuv420p")
    plane = frame.planes[0]
    luma = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)[: frame.height, : frame.width]
    return luma.copy() if frame.color_range == FULL_RANGE else STRETCHED[luma]


def area_sums(images: NDArray[np.uint8], size: int) -> NDArray[np.uint32]:
    """Sum pixels over the cells of a `size` x `size` grid; a pixel on an edge counts for the share that lies within.

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


def _taps(length: int, size: int) -> tuple[NDArray[np.int64], NDArray[np.uint32]]:
    """The pixels (size, K) that each cell touches, and their weights in units of 1 / size of a pixel."""
    edges = np.arange(size + 1) * length  # in the same units
    first, last = edges[:-1] // size, (edges[1:] - 1) // size
    pixels = first[:, None] + np.arange((last - first).max() + 1)
    inside = np.minimum(edges[1:, None], (pixels + 1) * size) - np.maximum(edges[:-1, None], pixels * size)
    return np.minimum(pixels, length - 1), np.maximum(inside, 0).astype(np.uint32)


def _summed(images: NDArray, axis: int, size: int) -> NDArray[np.uint32]:
    """Sums over the cells along one axis."""
    pixels, weights = _taps(images.shape[axis], size)
    across = (-1, 1) if axis == 1 else (-1,)
    parts = (images.take(pixels[:, k], axis) * weights[:, k].reshape(across) for k in range(pixels.shape[1]))
    return reduce(np.add, parts)
