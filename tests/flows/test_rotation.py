"""psi_t(nu) about the centre, against grid_sample and rot90."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fernn.flows import Rotation
from fernn.flows.rotation import rotate
from tests.closeness import DTYPES
from tests.reference.rotation import turned

SIDES = st.integers(1, 9)
ANGLES = st.floats(-720, 720, allow_nan=False).map(lambda degrees: round(degrees, 2))


@pytest.mark.parametrize("dtype", DTYPES)
@given(degrees=ANGLES, height=SIDES, width=SIDES)
def test_rotate_is_grid_sample(dtype, degrees, height, width):
    """In the middle of a square canvas, where the normalized coordinates of grid_sample have square pixels."""
    side = max(height, width) + (max(height, width) - min(height, width)) % 2
    canvas = torch.zeros(2, 3, side, side, dtype=dtype)
    top, left = (side - height) // 2, (side - width) // 2
    if (side - height) % 2 or (side - width) % 2:
        height, width, top, left = side, side, 0, 0
    maps = torch.randn(2, 3, height, width, dtype=dtype)
    canvas[..., top : top + height, left : left + width] = maps
    expected = turned(canvas.double(), degrees)[..., top : top + height, left : left + width].to(dtype)
    found = rotate(maps, degrees)
    assert found.dtype == dtype
    assert (found - expected).abs().max() <= {torch.float32: 1e-5, torch.float64: 1e-9}[dtype] * 10


@given(degrees=ANGLES, side=st.integers(1, 7))
def test_gradient_is_the_transpose(degrees, side):
    maps = torch.randn(2, 1, side, side, dtype=torch.float64, requires_grad=True)
    weigh = torch.randn_like(maps)
    (found,) = torch.autograd.grad(rotate(maps, degrees), maps, weigh)
    (expected,) = torch.autograd.grad(turned(maps, degrees), maps, weigh)
    assert (found - expected).abs().max() <= 1e-8


@pytest.mark.parametrize("quarters", range(-5, 6))
@pytest.mark.parametrize("side", [1, 4, 5])
def test_quarter_turns_are_permutations(quarters, side):
    maps = torch.randn(2, 3, side, side)
    assert torch.equal(rotate(maps, 90 * quarters), torch.rot90(maps, quarters, (2, 3)))


def test_a_positive_turn_is_counter_clockwise():
    image = torch.zeros(1, 1, 5, 5)
    image[..., 2, 4] = 1  # to the right of the centre
    assert rotate(image, 90)[0, 0, 0, 2] == 1  # above it


@given(k=st.integers(0, 2), time=st.integers(-5, 5))
def test_move_turns_and_rolls(k, time):
    flow = Rotation(k, 30.0)
    maps = torch.randn(2, len(flow), 24, 5, 5, dtype=torch.float64)
    moved = flow.move(maps, time, order=12)
    for i, degrees in enumerate(flow.generators):
        fields = turned(maps[:, i], time * degrees).unflatten(1, (2, 12))
        step = time * round(degrees / 30)
        expected = torch.stack([fields[:, :, (r - step) % 12] for r in range(12)], 2).flatten(1, 2)
        assert (moved[:, i] - expected).abs().max() < 1e-8


def test_generators_and_turns():
    assert Rotation(2).generators == (-20, -10, 0, 10, 20)
    assert Rotation(4).turns(36) == tuple(range(-4, 5))
    assert Rotation(2, 30).turns(36) == (-6, -3, 0, 3, 6)
    assert [len(Rotation(k)) for k in (0, 1, 2, 4)] == [1, 3, 5, 9]
