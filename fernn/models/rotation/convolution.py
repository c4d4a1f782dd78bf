"""escnn's steerable convolutions, dense and in their own basis.

Hidden maps are (B, N * F, H, W) with the orientation before the field, stored with the channels last; escnn has the
field first (see `field_first`).

In their own basis (see `fernn.models.rotation.basis`) a convolution of F fields with F fields is, for each of J fixed
filters, a convolution of every channel with its own turned copy, followed by a convolution over the orientations, which
is a product in their Fourier transform:

    Y(n) = sum_b A_b(n) FT_s[ D_b,s * h(s) ](n),    A_b(n) an F x F matrix of complex numbers

Real maps need half of the frequencies. For C_36 and 3x3 pixels the matrices have 25.6 times fewer products than the
dense filter; the weights are escnn's own, and the results escnn's up to rounding.
"""

from collections.abc import Callable
from typing import Any, Self

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from fernn.models.checks import check_first
from fernn.models.precision import compute_dtype
from fernn.models.rotation.basis import factors, r2conv, samples_of

Move = Callable[[Tensor], Tensor]
CONVOLUTIONS = ("steerable", "dense", "auto")
FEW = 256  # channels


def choose_convolution(wish: str, channels: int) -> str:
    """How a hidden convolution of N*F channels is computed: "steerable" or "dense"; "auto" leaves that to a rule.

    The rule is steerable from 256 channels on; with fewer, its overhead is larger than the products that it saves.
    Measured on a CPU, and with 1152 channels in IEEE float32 on an H200 (docs/gpu.md), where the dense filter takes 2.8
    times as long. In TF32 and bf16 the two were not compared on a GPU.
    """
    if wish != "auto":
        return wish
    return "dense" if channels < FEW else "steerable"


def field_first(channels: Tensor, order: int, dim: int) -> Tensor:
    """Channels of a tensor along `dim` from (orientation, field) to escnn's (field, orientation)."""
    return channels.unflatten(dim, (order, -1)).transpose(dim, dim + 1).flatten(dim, dim + 1)


class Fixed(nn.Module):
    """A module with constants that follow from its sizes: not part of its state, exact on any device in any precision.

    They are restored at each change of device or precision. Ordinary buffers would stay rounded after a conversion to
    bfloat16, and would be empty after `to_empty` from the meta device.
    """

    weights: nn.Parameter

    def fix(self, **numbers: Tensor) -> None:
        """Register constants by name, on the device and in the precision of `weights`."""
        self._exact = numbers
        for name, exact in numbers.items():
            self.register_buffer(name, exact.to(next(self.parameters()), copy=True), persistent=False)

    def _apply(self, fn: Any, recurse: bool = True) -> Self:
        for name in self._exact:  # some have more axes than torch's memory formats support
            self._buffers[name] = None
        try:
            super()._apply(fn, recurse)
        finally:
            for name, exact in self._exact.items():
                self._buffers[name] = exact.to(next(self.parameters()), copy=True)
        return self


class Lifting(Fixed):
    """Images to regular fields of C_N: escnn's R2Conv from the trivial to the regular representation, no bias.

    Args:
        channels: of the images.
        fields: F.
        order: N.
        kernel_size: in pixels, odd.
    """

    basis: Tensor

    def __init__(self, channels: int, fields: int, order: int, kernel_size: int) -> None:
        super().__init__()
        self.channels, self.fields, self.order = channels, fields, order
        conv = r2conv(order, channels, fields, kernel_size, lifting=True)
        self.weights = conv.weights
        self.fix(basis=samples_of(conv))

    def extra_repr(self) -> str:
        """Its sizes."""
        return f"{self.channels}, fields={self.fields}, order={self.order}"

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, channels, H, W) to regular fields (B, N*F, H, W)."""
        return self.kernel()(images)

    def kernel(self) -> "DenseKernel":
        """The expanded filter, to be called: once per optimizer step is enough."""
        return DenseKernel(self.filter(), self.fields)

    def filter(self) -> Tensor:
        """The expanded filter, (N*F, channels, k, k), orientations first."""
        weights = self.weights.view(self.fields, self.channels, -1)
        return torch.einsum("fck,kroyx->rfcoyx", weights, self.basis).flatten(2, 3).flatten(0, 1)


class Regular(Fixed):
    """Regular fields of C_N to regular fields: escnn's R2Conv, no bias.

    Args:
        fields: F of the outputs, and of the inputs if `inputs` is None.
        order: N.
        kernel_size: in pixels, odd.
        convolution: "steerable" in its own basis, "dense" with the expanded filter, or "auto", by the channels
            (see `choose_convolution`).
        inputs: F of the inputs.
    """

    basis: Tensor
    filters: Tensor
    spectra: Tensor
    forth: Tensor
    back: Tensor

    def __init__(self, fields: int, order: int, kernel_size: int, convolution: str, inputs: int | None = None) -> None:
        super().__init__()
        self.fields, self.order, self.convolution, self.inputs = fields, order, convolution, inputs or fields
        conv = r2conv(order, self.inputs, fields, kernel_size, lifting=False)
        self.weights = conv.weights
        numbers: dict[str, Tensor] = {}
        if convolution != "steerable":
            numbers["basis"] = samples_of(conv)
        if convolution != "dense":
            parts = factors(order, kernel_size)
            forth, back = fourier(order)
            constants = {"spectra": _spectra(parts.coefficients), "forth": forth, "back": back}
            numbers["filters"] = parts.filters
            numbers |= {name: torch.from_numpy(values) for name, values in constants.items()}
        self.fix(**numbers)

    def extra_repr(self) -> str:
        """Its sizes, and how it is computed."""
        return f"fields={self.fields}, order={self.order}, convolution={self.convolution!r}"

    @property
    def chosen(self) -> str:
        """The convolution as it is computed: "steerable" or "dense"."""
        return choose_convolution(self.convolution, self.fields * self.order)

    def forward(self, maps: Tensor, turns: int, move: Move | None = None) -> Tensor:
        """See `DenseKernel`."""
        return self.kernel()(maps, turns, move)

    def kernel(self) -> "Kernel":
        """Expand the weights: once per optimizer step is enough."""
        if self.chosen == "dense":
            weights = self.weights.view(self.fields, self.inputs, -1)
            filters = torch.einsum("oik,krsyx->rosiyx", weights, self.basis).flatten(2, 3).flatten(0, 1)
            return DenseKernel(filters.contiguous(memory_format=torch.channels_last), self.inputs)
        # spectra are (K, n, c', c, J) with 2x2 real matrices (c', c) for complex numbers
        elements, frequencies, _, _, number = self.spectra.shape
        weights = self.weights.view(-1, elements) @ self.spectra.flatten(1)
        mixing = weights.view(self.fields, self.inputs, frequencies, 2, 2, number).permute(2, 3, 0, 4, 5, 1)
        mixing = mixing.reshape(frequencies, 2 * self.fields, -1)
        dtype = compute_dtype(self.weights)  # said here, since the way back computes outside of autocast
        filters, forth, back = (each.to(dtype) for each in (self.filters, self.forth, self.back))
        return SteerableKernel(mixing.to(dtype), filters, forth, back, self.inputs, self.fields)


class DenseKernel:
    """A convolution as its expanded filter, `weights` (N*F, channels, k, k), orientations first.

    It is expanded from the cell's weights, and serves until they change. `inputs` are the fields that it reads.
    """

    def __init__(self, weights: Tensor, inputs: int) -> None:
        self.weights, self.inputs = weights, inputs

    def __call__(self, maps: Tensor, turns: int = 0, move: Move | None = None) -> Tensor:
        """W * move(maps), (B, N*F, H, W) both; the orientations of the moved maps are rolled by `turns`."""
        maps = maps if move is None else move(maps)
        maps = maps.roll(turns * self.inputs, 1) if turns else maps
        return F.conv2d(maps, self.weights, padding=self.weights.shape[-1] // 2)


class SteerableKernel:
    """W in its own basis, called as `DenseKernel`.

    Its memory is that of the maps: what the products need is J times as much and computed again on the way back.

    Attributes:
        weights: A, as a real matrix for each frequency n: (c', F) rows by (c, J, F) columns, c the real and the
            imaginary part.
        filters: D, (J, N, k, k).
        forth, back: the Fourier transform over the orientations and its inverse (see `fourier`).
        inputs, fields: F of what it reads, and of what it gives.
    """

    def __init__(self, weights: Tensor, filters: Tensor, forth: Tensor, back: Tensor, inputs: int, fields: int) -> None:
        self.weights, self.filters, self.forth, self.back = weights, filters, forth, back
        self.inputs, self.fields = inputs, fields
        self._rolled: dict[int, tuple[Tensor, ...]] = {}

    def __call__(self, maps: Tensor, turns: int, move: Move | None = None) -> Tensor:
        """See `DenseKernel`."""
        batch, _, height, width = maps.shape

        def spectrum(maps: Tensor) -> Tensor:
            return self._spectrum(maps if move is None else move(maps), turns)

        mixed: Tensor = _Mix.apply(maps.to(self.weights.dtype), self.weights, spectrum)
        rows = self.back @ mixed.view(len(mixed), -1, self.fields)
        return rows.view(batch, height, width, -1).permute(0, 3, 1, 2)

    def _spectrum(self, maps: Tensor, turns: int) -> Tensor:
        """What the matrices are applied to: (pixels, n, (c, J, F))."""
        order = self.filters.shape[1]
        forth, *filters = self._constants(turns)
        filtered = [maps, *(depthwise(maps, each) for each in filters)]
        rows = [each.permute(0, 2, 3, 1).reshape(-1, order, self.inputs) for each in filtered]
        transformed = forth @ torch.stack(rows, 2).flatten(2)
        return transformed.view(len(transformed), len(self.weights), -1)

    def _constants(self, turns: int) -> tuple[Tensor, ...]:
        """The Fourier transform and, for each channel, all filters but the first, which is the pixel alone.

        A roll of the maps by `turns` is one of these by as much the other way.
        """
        if turns not in self._rolled:
            filters = self.filters[1:].roll(-turns, 1).repeat_interleave(self.inputs, 1).unsqueeze(2)
            self._rolled[turns] = self.forth.roll(-turns, 1), *filters
        return self._rolled[turns]


Kernel = DenseKernel | SteerableKernel


class _Mix(torch.autograd.Function):
    """The spectrum of some maps times a matrix for each frequency: (pixels, n, rows).

    The spectrum is computed again on the way back, and the products are not: `torch.utils.checkpoint` would do both.
    """

    @staticmethod
    def forward(ctx: Any, maps: Tensor, mixing: Tensor, spectrum: Move) -> Tensor:
        ctx.save_for_backward(maps, mixing)
        ctx.spectrum = spectrum
        return _products(spectrum(maps), mixing.mT)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        check_first("the steerable convolution", "build the model with convolution='dense'")
        maps, mixing = ctx.saved_tensors
        to_maps = to_mixing = None
        with torch.set_grad_enabled(ctx.needs_input_grad[0]):
            maps = maps.detach().requires_grad_(ctx.needs_input_grad[0])
            spectrum = ctx.spectrum(maps)
        if ctx.needs_input_grad[1]:
            to_mixing = torch.bmm(gradient.permute(1, 2, 0), spectrum.detach().transpose(0, 1))
        if ctx.needs_input_grad[0]:
            (to_maps,) = torch.autograd.grad(spectrum, maps, _products(gradient, mixing))
        return to_maps, to_mixing, None


def _products(rows: Tensor, matrices: Tensor) -> Tensor:
    """Rows (P, n, i) times a matrix for each n, (n, i, o): (P, n, o), strided on both sides in place of copies."""
    result = rows.new_empty(*rows.shape[:2], matrices.shape[-1])
    torch.bmm(rows.transpose(0, 1), matrices, out=result.transpose(0, 1))
    return result


def depthwise(maps: Tensor, filters: Tensor) -> Tensor:
    """Each channel of maps (B, C, H, W) with its own fixed filter, (C, 1, k, k)."""
    filtered: Tensor = _Depthwise.apply(maps, filters)
    return filtered


class _Depthwise(torch.autograd.Function):
    """The gradient is the same with the filters turned by half a turn: many times as fast as torch's own on a CPU."""

    generate_vmap_rule = True

    @staticmethod
    def forward(maps: Tensor, filters: Tensor) -> Tensor:
        return F.conv2d(maps, filters, padding=filters.shape[-1] // 2, groups=len(filters))

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:
        ctx.save_for_backward(inputs[1])

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        filters = ctx.saved_tensors[0].flip(-1, -2).to(gradient.dtype)
        return F.conv2d(gradient, filters, padding=filters.shape[-1] // 2, groups=len(filters)), None


def fourier(order: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The real Fourier transform over N orientations, and its inverse, as matrices.

    Returns:
        (2 * n, N) with rows (frequency 0 ... N // 2; real, imaginary), and (N, 2 * n).
    """
    frequencies = np.arange(order // 2 + 1)
    angle = 2 * np.pi / order * np.outer(frequencies, np.arange(order))
    waves = np.stack([np.cos(angle), -np.sin(angle)], 1).reshape(-1, order)
    # a frequency and its negative are one here; 0 and, for even N, N / 2 are their own negatives
    share = np.where((2 * frequencies) % order == 0, 1.0, 2.0).repeat(2)
    return waves, waves.T * share / order


def _spectra(coefficients: NDArray[np.float64]) -> NDArray[np.float64]:
    """The Fourier transform of a_b[d], (K, N, J) to (K, n, c', c, J): 2x2 real matrices for complex numbers."""
    transformed = np.fft.rfft(coefficients, axis=1)
    real, imaginary = transformed.real, transformed.imag
    return np.stack([np.stack([real, -imaginary], 2), np.stack([imaginary, real], 2)], 2)
