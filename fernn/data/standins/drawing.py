"""Limbs painted into frames, with soft edges, many frames at once."""

import numpy as np
from numpy.typing import NDArray

from fernn.data.standins.figure import Limb

SHADE = 0.22  # how much darker a limb is at its edge, so that limbs stand out from one another


def paint(frames: NDArray[np.float32], limb: Limb, tone: float, opacity: float = 1.0) -> None:
    """Paint one limb into `frames` (T, H, W), in place.

    Args:
        frames: grey, 0 to 255.
        limb: in pixels, x to the right and y down; the centre of the first pixel is (0, 0).
        tone: grey of its middle.
        opacity: 1 hides what is behind.
    """
    count, height, width = frames.shape
    radius_a, radius_b = (np.asarray(r, np.float32).reshape(-1, 1, 1) for r in (limb.radius_a, limb.radius_b))
    reach = max(float(radius_a.max()), float(radius_b.max())) + 1.0
    low = np.minimum(limb.a, limb.b) - reach
    extent = (np.maximum(limb.a, limb.b) + reach - low).max(axis=0)
    columns, rows = (min(int(np.ceil(e)) + 1, limit) for e, limit in zip(extent, (width, height), strict=True))
    # one patch a frame, pushed into the frame where the limb leaves it
    left = np.clip(np.floor(low[:, 0]), 0, width - columns).astype(np.int64)
    top = np.clip(np.floor(low[:, 1]), 0, height - rows).astype(np.int64)
    x = left[:, None] + np.arange(columns)
    y = top[:, None] + np.arange(rows)
    px = (x - limb.a[:, :1]).astype(np.float32)[:, None, :]
    py = (y - limb.a[:, 1:]).astype(np.float32)[:, :, None]
    along = (limb.b - limb.a).astype(np.float32)
    ax, ay = along[:, 0, None, None], along[:, 1, None, None]
    part = np.clip((px * ax + py * ay) / np.maximum(ax * ax + ay * ay, 1e-6), 0, 1)
    distance = np.hypot(px - part * ax, py - part * ay)
    radius = radius_a + part * (radius_b - radius_a)
    cover = np.clip(radius - distance + np.float32(0.5), 0, np.float32(opacity))
    ink = np.float32(tone) * (1 - np.float32(SHADE) * np.minimum(distance / radius, 1) ** 2)
    where = (np.arange(count)[:, None, None] * height + y[:, :, None]) * width + x[:, None, :]
    flat = frames.reshape(-1)
    behind = flat[where]
    flat[where] = behind + cover * (ink - behind)
