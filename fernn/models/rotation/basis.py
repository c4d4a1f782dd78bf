"""escnn's steerable filters taken apart: what is fixed, and what its weights decide.

A filter from the regular representation of C_N to itself is a convolution over positions and orientations. In the
basis that escnn samples, each of its filters has the form

    K[r, s](x) = sum_b a_b[r - s] D_b,s(x)

with J fixed filters D_b,s in space (for 3x3: the centre, and on the ring around it the constant and two harmonics), the
b-th turned to orientation s, and J * N free numbers a_b[d]. Both are read off escnn's own samples here.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fernn.errors import FernnError
from fernn.models.rotation import escnn

if TYPE_CHECKING:
    from escnn.nn import R2Conv

TOLERANCE = 1e-5  # relative; escnn samples its filters in float32


@dataclass(frozen=True)
class Factors:
    """The two factors of escnn's basis of K filters.

    Attributes:
        filters: D, (J, N, k, k) float32: filter b turned to orientation s; the first one is the centre pixel alone.
        coefficients: a, (K, N, J) float64: of basis element w at the orientation difference d.
    """

    filters: Tensor
    coefficients: NDArray[np.float64]


def r2conv(order: int, inputs: int, fields: int, kernel_size: int, lifting: bool, draw: bool = True) -> "R2Conv":
    """The convolution of escnn to `fields` regular fields of C_order, with its own initial weights.

    These are on torch's default device; its buffers, which are read, on the CPU.

    Args:
        order: N of the group.
        inputs: number of input fields: images where it lifts, regular fields where not.
        fields: number of output fields.
        kernel_size: in pixels, odd.
        lifting: whether the inputs are images (trivial representation).
        draw: whether to draw weights from torch's generator, or leave them zero. On the meta device none are drawn.

    Raises:
        FernnError: if escnn cannot be imported.
    """
    device, precision = torch.get_default_device(), torch.get_default_dtype()
    draw = draw and device.type != "meta"
    # on any default device, since the samples are read; and escnn cannot build in another precision
    with torch.device("cpu"), _default(torch.float32):
        library = escnn.load()  # only here: its import takes most of a second, and nothing else needs it
        space = library.gspaces.rot2dOnR2(N=order)
        kinds = inputs * [space.trivial_repr if lifting else space.regular_repr], fields * [space.regular_repr]
        source, target = (library.nn.FieldType(space, each) for each in kinds)
        conv = library.nn.R2Conv(source, target, kernel_size, padding=kernel_size // 2, bias=False, initialize=draw)
    if (device.type, precision) != ("cpu", torch.float32):
        conv.weights = torch.nn.Parameter(conv.weights.to(device, precision))
    return conv


@contextmanager
def _default(precision: torch.dtype) -> Iterator[None]:
    """Torch's default precision, inside."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(precision)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def samples_of(conv: "R2Conv") -> Tensor:
    """The basis of one pair of fields, (K, N, N or 1, k, k), on the CPU: a filter is its sum weighted by K weights."""
    (sampled,) = conv.basisexpansion.buffers()
    # escnn keeps one set of samples for all convolutions of equal sizes: somebody's `double()` or `cuda()` moves it for
    # all, and a later convolution is born with it
    return sampled.float().cpu().unflatten(-1, (conv.kernel_size, conv.kernel_size))


@lru_cache(maxsize=8)
@torch.inference_mode(False)  # what is kept here must serve training too
def factors(order: int, kernel_size: int) -> Factors:
    """Take the basis of C_order apart.

    Raises:
        FernnError: if it has not that form (another version of escnn might sample otherwise).
    """
    # no weights: what is kept for the next call must not draw random numbers at the first one
    basis = samples_of(r2conv(order, 1, 1, kernel_size, lifting=False, draw=False)).double().numpy()
    elements, pixels = len(basis), kernel_size**2
    # relative orientations: [w, d, s, x] is the basis from orientation s to s + d
    relative = np.stack([np.roll(basis[:, :, s], -s, axis=1) for s in range(order)], axis=2)
    relative = relative.reshape(elements * order, order, pixels)
    filters = _span(relative[:, 0], kernel_size)
    coefficients = relative[:, 0] @ filters.T
    relative = relative.reshape(elements * order, -1)
    turned = np.linalg.solve(coefficients.T @ coefficients, coefficients.T @ relative)  # least squares
    error = np.abs(coefficients @ turned - relative).max()
    if error > TOLERANCE * np.abs(relative).max():
        raise FernnError(
            f"escnn's filters of C_{order} with {kernel_size}x{kernel_size} pixels are no turned copies of a few "
            f"(error {error:.1e}): use the dense convolution (convolution: dense)."
        )
    shape = (len(filters), order, kernel_size, kernel_size)
    return Factors(torch.from_numpy(turned.reshape(shape)).float(), coefficients.reshape(elements, order, len(filters)))


def _span(rows: NDArray[np.float64], kernel_size: int) -> NDArray[np.float64]:
    """An orthonormal basis of the rows' span, (J, pixels), the same on every machine up to rounding.

    Gram and Schmidt on the span's projections of single pixels, from the centre outwards.
    """
    _, values, directions = np.linalg.svd(rows, full_matrices=False)
    directions = directions[values > TOLERANCE * values[0]]
    projector = directions.T @ directions
    y, x = np.divmod(np.arange(kernel_size**2), kernel_size)
    middle = kernel_size // 2
    chosen: list[NDArray[np.float64]] = []
    for pixel in np.lexsort((x, y, (y - middle) ** 2 + (x - middle) ** 2)):
        rest = projector[pixel] - sum((projector[pixel] @ one * one for one in chosen), np.zeros(kernel_size**2))
        if np.linalg.norm(rest) > 1e-3:
            chosen.append(rest / np.linalg.norm(rest))
    return np.stack(chosen)
