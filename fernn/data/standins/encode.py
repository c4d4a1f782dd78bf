"""Grey frames as MPEG-4 video in AVI, with the tag of the originals."""

import io

import av
import numpy as np
from numpy.typing import NDArray

RATE = 25  # frames per second
QUANTIZER = 4  # 1 is best, 31 worst


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
