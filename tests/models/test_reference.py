"""The fast cells equal the paper's recurrence, `ReferenceCell`, frame by frame; and it is flow equivariant."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from fernn.flows import Rotation, Scaling, Shift1d, Translation
from fernn.models import FERNNCell, ReferenceCell, RotationCell
from fernn.models.reference import coupled
from fernn.models.rotation.convolution import field_first
from tests.closeness import DTYPES, assert_close
from tests.reference.equivariance import blobs, flow_error

STEPS = 8
of = pytest.mark.parametrize


def frames(batch: int, height: int, width: int, dtype: torch.dtype) -> Tensor:
    return torch.randn(STEPS, batch, 2, height, width, dtype=torch.float64).to(dtype)


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


@of("dtype", DTYPES)
@of(("batch", "height", "width", "activation"), [(1, 5, 7, "relu"), (3, 6, 4, "tanh")])
@of("flow", [Translation(0), Translation(1), Translation(2), Translation(3), Shift1d(2)], ids=str)
@of(("mixing", "kernel", "hidden"), [(0, 3, 2), (0, 5, 1), (1, 3, 2), (2, 1, 1)])
def test_translations(flow, mixing, kernel, hidden, batch, height, width, activation, dtype):
    assert_same(flow, frames(batch, height, width, dtype), 2, hidden, kernel, activation, mixing)


def test_translations_by_winograd():
    assert_same(Translation(1), frames(2, 4, 8, torch.float32)[:4], 2, 64, mixing=1)


def assert_same(flow: Translation, images: Tensor, *sizes, **more) -> None:
    """States and gradients of `FERNNCell` and `ReferenceCell`."""
    cell, reference = (each(flow, *sizes, **more).to(images.dtype) for each in (FERNNCell, ReferenceCell))
    reference.load_state_dict(cell.state_dict())
    state = expected = None
    for time, frame in enumerate(images, 1):
        state, expected = cell(frame, state), reference(frame, expected)
        assert_close(state.lab(), expected.lab(), f"h_{time}")
        assert_close(state.max(), expected.max(), f"max over V of h_{time}")
        assert_close(flow.move(state.co_moving(), time), expected.lab(), f"g_{time}")
    if images.dtype == torch.float64:  # no rounding changes the winner of the max
        for each in (state, expected):
            each.max().square().sum().backward()
        for (name, found), wanted in zip(cell.named_parameters(), reference.parameters(), strict=True):
            assert_close(found.grad, wanted.grad, f"gradient of {name}")


class Fields(nn.Module):
    """A convolution of `RotationCell`, over channels as in escnn."""

    def __init__(self, cell: RotationCell, lifting: bool) -> None:
        super().__init__()
        self.cell, self.lifting = cell, lifting

    def forward(self, maps: Tensor) -> Tensor:
        if self.lifting:
            U = self.cell.U.filter()
            result = F.conv2d(maps, U, padding=U.shape[-1] // 2)
        else:
            order_first = field_first(maps, maps.shape[1] // self.cell.order, 1)
            result = self.cell.W.kernel()(order_first, 0)
        return field_first(result, self.cell.order, 1)


def reference_of(cell: RotationCell) -> ReferenceCell:
    reference = ReferenceCell(cell.flow, mixing=cell.mixing)
    reference.U, reference.W, reference.order = Fields(cell, True), Fields(cell, False), cell.order
    return reference


def co_moving(reference: ReferenceCell, images: Tensor):
    """h_1 ... h_T by g_{t+1}(nu) = relu( W * [psi_{t-1}(d).g_t(nu + d)]_d + U * psi_{-t}(nu).f_t ), moved back."""
    flow, order, maps = reference.flow, reference.order, None
    near = replace(flow, k=reference.mixing)
    for time, image in enumerate(images):
        moved = flow.move(image.unsqueeze(1), -time)
        drive = reference.U(moved.flatten(0, 1))
        if maps is not None:
            read = coupled(maps, flow, near.k).unflatten(2, (len(near), -1)).flatten(0, 1)
            drive = drive + reference.W(near.move(read, time - 1, order).flatten(1, 2))
        maps = torch.relu(drive).unflatten(0, moved.shape[:2])
        yield flow.move(maps, time, order)


def lab(reference: ReferenceCell, images: Tensor):
    state = None
    for image in images:
        state = reference(image, state)
        yield state.lab()


@of("dtype", DTYPES)
@of(("batch", "side", "convolution"), [(1, 5, "steerable"), (3, 6, "dense")])
@of("frame", [lab, co_moving])
@of(("k", "mixing"), [(0, 0), (1, 0), (3, 0), (2, 1), (3, 2)])
def test_rotations(k, mixing, frame, batch, side, convolution, dtype):
    name = frame.__name__.replace("_", "-")
    cell = RotationCell(Rotation(k, 45), 2, 2, 8, 3, convolution, name, mixing).to(dtype)
    images, state = frames(batch, side, side, dtype), None
    for time, (image, expected) in enumerate(zip(images, frame(reference_of(cell), images), strict=True), 1):
        state = cell(image, state)
        assert_close(state.lab(), expected, f"h_{time}")
        assert_close(state.max(), expected.amax(1), f"max over V of h_{time}")


@of(
    ("flow", "kernel", "allowed"),
    [
        (Translation(1), 3, 1e-12),
        (Shift1d(2), 3, 1e-12),
        (Rotation(2, 90), 1, 1e-12),
        (Rotation(2, 15), 1, 0.2),
        (Scaling(2), 1, 0.2),
        (Scaling(2), 3, 0.8),
    ],
    ids=str,
)
@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**31), data=st.data())
def test_hidden_states_move_with_the_input(flow, kernel, allowed, seed, data):
    """At the errors that the flows state: rounding if they are exact, else those of four frames of smooth images."""
    torch.manual_seed(seed)
    cell = ReferenceCell(flow, hidden_channels=8, kernel_size=kernel).double()
    clip = torch.randn(2, 4, 1, 6, 6, dtype=torch.float64) if flow.exact else blobs(20, 4, seed)
    assert max(flow_error(cell, clip, data.draw(st.sampled_from(flow.generators)))) < allowed
    assert flow.exact == (allowed < 1e-6)


@of("nu_hat", [(1, 0), (-2, 1), (0, -1)])
def test_mixing_translations_is_exact_inside_of_v(nu_hat):
    cell = FERNNCell(Translation(3), 1, 4, mixing=1).double()
    assert_exact_inside(cell, torch.randn(1, 3, 1, 7, 6, dtype=torch.float64), nu_hat, 1e-12)


@of("frame", ["lab", "co-moving"])
def test_mixing_quarter_turns_is_exact_inside_of_v(frame):
    """At the rounding of escnn's samples, float32."""
    cell = RotationCell(Rotation(3, 90), 1, 2, 4, 3, "dense", frame, mixing=1).double()
    assert_exact_inside(cell, blobs(12, 3), 90.0, 1e-6)


def assert_exact_inside(cell: FERNNCell | RotationCell, clip: Tensor, nu_hat, allowed: float) -> None:
    """After t frames the boundary of V is felt (t - 1) m steps from it, and there by far more than rounding."""
    interior = [replace(cell.flow, k=cell.flow.k - t).generators for t in range(clip.shape[1])]
    assert max(flow_error(cell, clip, nu_hat, lambda t, nu: nu in interior[t - 1])) < allowed
    assert flow_error(cell, clip, nu_hat)[-1] > 1e-3
