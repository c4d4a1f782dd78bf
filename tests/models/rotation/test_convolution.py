"""The steerable convolution in its own basis, against escnn's R2Conv itself."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from fernn.errors import FernnError
from fernn.flows.rotation import rotate
from fernn.models.rotation import basis
from fernn.models.rotation.basis import factors, r2conv, samples_of
from fernn.models.rotation.convolution import (
    Lifting,
    Regular,
    depthwise,
    field_first,
    fourier,
)
from tests.closeness import assert_close

SIZES = [(1, 3), (4, 3), (5, 3), (8, 1), (8, 5), (12, 3), (36, 3)]  # order of the group, kernel width


def orientation_first(channels: Tensor, order: int, dim: int) -> Tensor:
    """Channels of a tensor along `dim` from escnn's (field, orientation) to ours (orientation, field)."""
    return channels.unflatten(dim, (-1, order)).transpose(dim, dim + 1).flatten(dim, dim + 1)


def through_escnn(conv, maps: Tensor, order: int) -> Tensor:
    """R2Conv on maps whose channels stand orientation first."""
    from escnn.nn import GeometricTensor

    fields = field_first(maps, order, 1) if conv.in_type.size > 1 else maps
    return orientation_first(conv(GeometricTensor(fields.contiguous(), conv.in_type)).tensor, order, 1)


@pytest.mark.parametrize("convolution", ["steerable", "dense"])
@pytest.mark.parametrize(("order", "kernel"), SIZES)
@pytest.mark.parametrize("turns", [0, 1, -3])
def test_results_and_gradients_are_those_of_escnn(order, kernel, turns, convolution):
    torch.manual_seed(order)
    ours = Regular(3, order, kernel, convolution)
    theirs = r2conv(order, 3, 3, kernel, lifting=False)
    theirs.weights = torch.nn.Parameter(ours.weights.detach().clone())
    maps, weigh = (torch.randn(2, 3 * order, 7, 6) for _ in range(2))
    mine, yours = (maps.clone().requires_grad_() for _ in range(2))
    found = ours.kernel()(mine, turns)
    expected = through_escnn(theirs, yours.roll(turns * 3, 1), order)
    assert_close(found, expected, "convolution")
    (found * weigh).sum().backward()
    (expected * weigh).sum().backward()
    assert_close(mine.grad, yours.grad, "gradient of the maps")
    assert_close(ours.weights.grad, theirs.weights.grad, "gradient of the weights")


@pytest.mark.parametrize(("order", "kernel"), SIZES)
def test_lifting_is_that_of_escnn(order, kernel):
    torch.manual_seed(order)
    ours, theirs = Lifting(2, 3, order, kernel), r2conv(order, 2, 3, kernel, lifting=True)
    theirs.weights = torch.nn.Parameter(ours.weights.detach().clone())
    images = torch.randn(2, 2, 7, 6)
    from escnn.nn import GeometricTensor

    expected = orientation_first(theirs(GeometricTensor(images, theirs.in_type)).tensor, order, 1)
    found = torch.nn.functional.conv2d(images, ours.filter(), padding=kernel // 2)
    assert_close(found, expected, "lifting")
    weigh = torch.randn_like(found)
    (found * weigh).sum().backward()
    (expected * weigh).sum().backward()
    assert_close(ours.weights.grad, theirs.weights.grad, "gradient of the weights")


@pytest.mark.parametrize(("order", "kernel"), SIZES)
def test_factors_make_up_the_basis(order, kernel):
    parts = factors(order, kernel)
    number = len(parts.filters)
    sampled = samples_of(r2conv(order, 1, 1, kernel, lifting=False)).double()
    assert len(sampled) == number * order, "as many free numbers as basis filters"
    made = torch.zeros_like(sampled)
    for s in range(order):
        for r in range(order):
            weights = torch.from_numpy(parts.coefficients[:, (r - s) % order])
            made[:, r, s] = (weights @ parts.filters[:, s].double().flatten(1)).unflatten(1, (kernel, kernel))
    assert_close(made.float(), sampled.float(), "basis")
    centre = torch.zeros(kernel, kernel)
    centre[kernel // 2, kernel // 2] = 1
    assert (parts.filters[0] - centre).abs().max() < 1e-6, "the first filter is the pixel itself"


@pytest.mark.parametrize("convolution", ["steerable", "dense"])
def test_a_convolution_of_escnn_that_was_made_double_turns_none_of_ours(convolution):
    theirs = r2conv(4, 2, 2, 3, lifting=False).double()
    try:
        ours = Regular(2, 4, 3, convolution)
        assert {buffer.dtype for buffer in ours.buffers()} == {torch.float32}
        assert ours.kernel()(torch.rand(1, 8, 5, 5), 1).dtype == torch.float32
    finally:
        theirs.float()


def test_a_filter_of_the_paper_has_216_free_numbers_for_a_pair_of_fields():
    assert factors(36, 3).coefficients.shape == (216, 36, 6)


def test_a_basis_of_another_form_is_refused(monkeypatch):
    class Sampled(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.basisexpansion = torch.nn.Module()
            self.basisexpansion.register_buffer("samples", torch.rand(24, 4, 4, 9))
            self.kernel_size = 3

    monkeypatch.setattr(basis, "r2conv", lambda *_, **__: Sampled())
    with pytest.raises(FernnError, match=r"no turned copies of a few.*convolution: dense"):
        factors.__wrapped__(4, 3)


@given(order=st.integers(1, 13))
def test_fourier(order):
    forth, back = fourier(order)
    values = np.random.default_rng(order).normal(size=order)
    spectrum = np.fft.rfft(values)
    assert np.allclose((forth @ values).reshape(-1, 2), np.stack([spectrum.real, spectrum.imag], 1), atol=1e-12)
    assert np.allclose(back @ forth @ values, values, atol=1e-12)


@settings(max_examples=20)
@given(kernel=st.sampled_from([1, 3, 5]), height=st.integers(1, 6), width=st.integers(1, 6))
def test_gradient_of_fixed_filters(kernel, height, width):
    maps = torch.randn(2, 3, height, width, dtype=torch.float64, requires_grad=True)
    filters = torch.randn(3, 1, kernel, kernel, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda given: depthwise(given, filters), maps)


def test_without_escnn_the_error_says_what_to_do(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "escnn", None)
    with pytest.raises(FernnError, match=r"need escnn, which cannot be imported here.*make setup"):
        r2conv(4, 1, 1, 3, lifting=True)


def test_on_the_meta_device_no_weights_are_drawn_and_nothing_kept_is_spoiled() -> None:
    factors.cache_clear()
    before = torch.get_rng_state()
    with torch.device("meta"):
        Regular(2, 4, 3, "steerable")
    assert torch.equal(torch.get_rng_state(), before)
    conv = Regular(2, 4, 3, "steerable")
    assert {buffer.device.type for buffer in conv.buffers()} == {"cpu"}
    assert conv.weights.abs().min() > 0


class Elsewhere(Tensor):
    """A tensor that NumPy cannot read before it is copied to the CPU, as one on a GPU."""

    def numpy(self, *_, **__):
        raise TypeError("cannot read a tensor that is elsewhere")

    def cpu(self):
        return self.as_subclass(Tensor)


@pytest.mark.parametrize("convolution", ["steerable", "dense"])
def test_a_convolution_of_escnn_that_was_moved_takes_none_of_ours_along(convolution, monkeypatch):
    block = r2conv(4, 2, 2, 3, lifting=False).basisexpansion.get_submodule("block_expansion_('regular', 'regular')")
    expected = Regular(2, 4, 3, convolution)
    monkeypatch.setitem(block._buffers, "sampled_basis", block.sampled_basis.as_subclass(Elsewhere))
    factors.cache_clear()
    found = Regular(2, 4, 3, convolution)
    for name, buffer in found.named_buffers():
        assert type(buffer) is Tensor, name
        assert torch.equal(buffer, expected.get_buffer(name))


@pytest.mark.parametrize("needs", [(True, True), (True, False), (False, True)], ids=["both", "maps", "weights"])
def test_gradients_by_differences(needs):
    """Of what is computed again on the way back, moved maps included; also where one of the two is not asked for."""
    torch.manual_seed(0)
    conv = Regular(2, 4, 3, "steerable").double()
    maps = torch.randn(2, 8, 3, 3, dtype=torch.float64, requires_grad=needs[0])
    mixing = conv.kernel().weights.detach().requires_grad_(needs[1])

    def convolved(maps: Tensor, mixing: Tensor) -> Tensor:
        kernel = conv.kernel()
        kernel.weights = mixing
        return kernel(maps, 1, lambda maps: rotate(maps, 30))

    assert torch.autograd.gradcheck(convolved, (maps, mixing))


def test_the_way_back_computes_the_spectrum_again_and_no_product():
    """Of products with the matrices there is one forward, and one for each gradient."""

    class Products(TorchDispatchMode):
        def __init__(self) -> None:
            super().__init__()
            self.shapes: list[tuple[int, ...]] = []

        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            if function.overloadpacket is torch.ops.aten.bmm and len(args[0]) == frequencies:
                self.shapes.append(tuple(args[0].shape))
            return function(*args, **(kwargs or {}))

    frequencies, pixels, fields, filters = 7, 2 * 5 * 5, 3, 6
    conv, maps = Regular(fields, 12, 3, "steerable"), torch.rand(2, 36, 5, 5, requires_grad=True)
    kernel = conv.kernel()
    with Products() as forth:
        result = kernel(maps, 1)
    with Products() as back:
        result.sum().backward()
    assert forth.shapes == [(frequencies, pixels, 2 * filters * fields)]
    assert sorted(back.shapes) == [(frequencies, 2 * fields, pixels), (frequencies, pixels, 2 * fields)]


def test_what_a_step_keeps_for_the_way_back():
    """The maps and the matrices, never the spectrum, which is many times their size."""
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        kept[tensor.data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    conv, maps = Regular(3, 12, 3, "steerable"), torch.rand(2, 36, 8, 8, requires_grad=True)
    kernel = conv.kernel()
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        kernel(maps, 1, lambda maps: rotate(maps, 30))
    assert sum(kept.values()) == sum(each.nbytes for each in (maps, kernel.weights, kernel.back))
