"""Area averaging in whole numbers: the same result on every machine, whatever its vector units."""

import numpy as np
from numpy.typing import NDArray


def area_sums(images: NDArray[np.uint8], size: int) -> NDArray[np.uint32]:
    """Sum pixels over the cells of a `size` x `size` grid; a pixel on an edge counts for the share that lies within.

    Args:
        images: (N, H, W) with H and W from `size` to 4096.
        size: cells along each side.

    Returns:
        (N, size, size): the mean of each cell times H * W.
    """
    rows, columns = images.shape[1:]
    if not size <= min(rows, columns) <= max(rows, columns) <= 4096:
        raise ValueError(f"images of {columns}x{rows} pixels cannot be averaged down to {size}x{size}")
    return _sum_columns(_sum_rows(images, *_taps(rows, size)), *_taps(columns, size))


def _taps(length: int, size: int) -> tuple[NDArray[np.int64], NDArray[np.uint32]]:
    """The pixels (size, K) that each cell touches, and their weights in units of 1 / size of a pixel."""
    edges = np.arange(size + 1) * length  # in the same units
    first, last = edges[:-1] // size, (edges[1:] - 1) // size
    pixels = first[:, None] + np.arange((last - first).max() + 1)
    inside = np.minimum(edges[1:, None], (pixels + 1) * size) - np.maximum(edges[:-1, None], pixels * size)
    return np.minimum(pixels, length - 1), np.maximum(inside, 0).astype(np.uint32)


def _sum_rows(images: NDArray, pixels: NDArray[np.int64], weights: NDArray[np.uint32]) -> NDArray[np.uint32]:
    total = np.zeros((len(images), len(pixels), images.shape[2]), np.uint32)
    for k in range(pixels.shape[1]):
        total += images[:, pixels[:, k]] * weights[:, k, None]
    return total


def _sum_columns(images: NDArray, pixels: NDArray[np.int64], weights: NDArray[np.uint32]) -> NDArray[np.uint32]:
    total = np.zeros((*images.shape[:2], len(pixels)), np.uint32)
    for k in range(pixels.shape[1]):
        total += images[:, :, pixels[:, k]] * weights[:, k]
    return total
