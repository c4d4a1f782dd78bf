import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from fernn.data.mnist import load_mnist
from fernn.datasets.rotating import RotationSampler, render
from fernn.datasets.sequences import Recipes
from fernn.flows.rotation import Rotation
from tests.reference import rotation as plain

ROUNDING = 1e-5  # of coordinates in float32


def book(
    k: int = 4, digits: int = 2, stream: str = "test-V4R", pool: int = 1000, degrees: float = 10.0
) -> RotationSampler:
    return RotationSampler(42, stream, pool, digits, Rotation(k, degrees))


def random_pool(size: int, count: int = 10) -> Tensor:
    shape = (count, size, size)
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(size))


def single(start: float, velocity: float) -> Recipes:
    """One sequence of the first digit of a pool."""
    angles = torch.tensor([[[start]], [[velocity]]], dtype=torch.float64)
    return Recipes(torch.zeros(1, 1, dtype=torch.int64), *angles)


def test_known_recipes():
    """A change here changes every data set: old results could no longer be repeated."""
    recipes = book().draw(2, first=7)
    assert recipes.digit.tolist() == [[942, 467], [706, 391]]
    assert recipes.start.tolist() == [
        [130.8114860505845, 183.0019602262118],
        [7.5020530472032165, 119.77507844001806],
    ]
    assert recipes.velocity.tolist() == [[20.0, 10.0], [-20.0, -30.0]]


@pytest.mark.parametrize(("k", "degrees", "critical"), [(0, 10.0, 0.0), (1, 30.0, 18.5), (4, 10.0, 31.9)])
def test_the_distribution(k, degrees, critical):
    """Velocities uniform on the generators, starts on the circle; critical values of a chance of 1 in 10,000."""
    recipes = book(k, pool=13, degrees=degrees).draw(10_000)
    assert set(recipes.digit.unique().tolist()) == set(range(13))

    velocities, counts = recipes.velocity.unique(return_counts=True)
    assert velocities.tolist() == [step * degrees for step in range(-k, k + 1)]
    expected = recipes.velocity.numel() / len(velocities)
    assert ((counts - expected) ** 2 / expected).sum() <= critical

    starts = recipes.start.flatten().sort().values
    assert starts[0] >= 0
    assert starts[-1] < 360
    grid = 360 * torch.arange(len(starts), dtype=torch.float64) / len(starts)
    assert (starts - grid).abs().max() < 360 * 2.2 / len(starts) ** 0.5


def test_the_digits_of_a_sequence_turn_on_their_own():
    recipes = book().draw(4000)
    both = (recipes.velocity[:, 0] == recipes.velocity[:, 1]).double().mean().item()
    assert both == pytest.approx(1 / 9, abs=0.02)  # four standard deviations
    pairs = torch.stack([recipes.start.flatten(), recipes.velocity.flatten(), recipes.start.flip(1).flatten()])
    assert (torch.corrcoef(pairs) - torch.eye(3)).abs().max() < 4 / 8000**0.5


@pytest.mark.parametrize(("size", "side"), [(28, 40), (28, 28), (28, 44), (14, 20), (14, 16), (14, 14), (14, 10)])
def test_rendering_is_the_plain_way(size, side):
    pool = random_pool(size)
    recipes = book(pool=len(pool)).draw(3)
    found = render(pool, recipes, 7, side)
    assert found.shape == (3, 7, 1, side, side)
    assert found.dtype == torch.float32
    assert found.min() >= 0
    assert found.max() <= 1
    assert (found - plain.render(pool, recipes, 7, side)).abs().max() < ROUNDING


@given(digits=st.integers(1, 3), size=st.integers(1, 7), more=st.integers(-2, 4), frames=st.integers(1, 5))
def test_any_number_of_digits_of_any_size(digits, size, more, frames):
    pool, side = random_pool(size), max(size + 2 * more, 1 + (size - 1) % 2)
    recipes = book(digits=digits, pool=len(pool)).draw(3)
    found = render(pool, recipes, frames, side)
    assert (found - plain.render(pool, recipes, frames, side)).abs().max() < ROUNDING


@pytest.mark.parametrize("degrees", [30.0, 100.0, 215.0, -10.0])
def test_a_digit_turns_counter_clockwise_about_the_centre(degrees):
    """A patch of ink at the right, by its centre of mass."""
    pool = torch.zeros(1, 14, 14, dtype=torch.uint8)
    pool[0, 6:8, 11:13] = 100
    frame = render(pool, single(degrees - 5.0, 5.0), 2, 24)[0, 1, 0].double()
    place = torch.arange(24) - 11.5
    x, y = ((frame.sum(axis) * place).sum() / frame.sum() for axis in (0, 1))
    assert math.degrees(math.atan2(-y, x)) % 360 == pytest.approx(degrees % 360, abs=0.5)
    assert math.hypot(x, y) == pytest.approx(5, abs=0.05)


def test_energy_per_pixel_goes_with_the_area_of_the_frame(root):
    """An error per pixel of 28x28 frames is 2.04 times one of 40x40: of real digits nearly all ink stays within 28x28.

    What is lost is 2e-6 of the squares here, 1.1e-5 at most over a few such draws.
    """
    pool = torch.from_numpy(load_mnist(root / "resources" / "mnist-subset").test_images)
    recipes = book(pool=len(pool)).draw(64)
    whole, cropped = render(pool, recipes, 20, 40), render(pool, recipes, 20, 28)
    assert torch.equal(cropped, whole[..., 6:34, 6:34])  # the same pixels, sampled at the same points: no rounding
    energy, energy_cropped = (frames.double().square().mean().item() for frames in (whole, cropped))
    assert energy > 0.05
    assert energy_cropped / energy == pytest.approx(40**2 / 28**2, rel=2e-5)


def test_long_sequences_keep_their_angle():
    """A digit is back after every 36 frames, however many there were."""
    frames = render(random_pool(6), single(123.4, 10.0), 36 * 40 + 1, 8)[0]
    assert (frames[0] - frames[-1]).abs().max() < ROUNDING
    assert (frames[0] - frames[-2]).abs().max() > 0.05
