import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from fernn.data.mnist import load_mnist
from fernn.datasets.rotating import RotationSampler, render
from fernn.datasets.sequences import Recipes
from fernn.flows.rotation import Rotation

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


def equal(one: Recipes, two: Recipes) -> bool:
    return all(torch.equal(getattr(one, name), getattr(two, name)) for name in ("digit", "start", "velocity"))


def turned_frame(digit: Tensor, degrees: float, side: int) -> Tensor:
    """One digit at one angle, step by step as the released data set goes: pad it, turn it, pad or crop to the frame."""
    size = digit.shape[-1]
    border = math.ceil(size * math.sqrt(2) / 2) - size // 2
    image = F.pad(digit.double() / 255, (border,) * 4).view(1, 1, size + 2 * border, size + 2 * border)
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    matrix = torch.tensor([[[cos, -sin, 0], [sin, cos, 0]]], dtype=torch.float64)
    grid = F.affine_grid(matrix, list(image.shape), align_corners=True)
    turned = F.grid_sample(image, grid, align_corners=True)[0, 0]
    return F.pad(turned, ((side - turned.shape[-1]) // 2,) * 4)  # negative padding crops


def render_plainly(pool: Tensor, recipes: Recipes, frames: int, side: int) -> Tensor:
    sequences = torch.zeros(len(recipes), frames, 1, side, side, dtype=torch.float64)
    for n, d in np.ndindex(*recipes.digit.shape):
        for t in range(frames):
            angle = (recipes.start[n, d] + t * recipes.velocity[n, d]).item()
            sequences[n, t, 0] += turned_frame(pool[recipes.digit[n, d]], angle, side)
    return sequences.clamp(0, 1)


def test_known_recipes():
    """A change here changes every data set: old results could no longer be repeated."""
    recipes = book().draw(2, first=7)
    assert recipes.digit.tolist() == [[942, 467], [706, 391]]
    assert recipes.start.tolist() == [
        [130.8114860505845, 183.0019602262118],
        [7.5020530472032165, 119.77507844001806],
    ]
    assert recipes.velocity.tolist() == [[20.0, 10.0], [-20.0, -30.0]]


@given(st.integers(0, 30), st.integers(0, 30), st.integers(0, 2), st.integers(1, 3))
def test_any_part_can_be_drawn_alone(first, count, epoch, digits):
    whole = book(digits=digits).draw(60, epoch=epoch)
    assert equal(book(digits=digits).draw(count, first, epoch), whole[first : first + count])


def test_epochs_and_streams_differ():
    first = book().draw(50)
    assert not equal(first, book().draw(50, epoch=1))
    assert not equal(first, book(stream="validation-V4R").draw(50))


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
    assert (found - render_plainly(pool, recipes, 7, side)).abs().max() < ROUNDING


@given(digits=st.integers(1, 3), size=st.integers(1, 7), more=st.integers(-2, 4), frames=st.integers(1, 5))
def test_any_number_of_digits_of_any_size(digits, size, more, frames):
    pool, side = random_pool(size), max(size + 2 * more, 1 + (size - 1) % 2)
    recipes = book(digits=digits, pool=len(pool)).draw(3)
    found = render(pool, recipes, frames, side)
    assert (found - render_plainly(pool, recipes, frames, side)).abs().max() < ROUNDING


@pytest.mark.parametrize("velocity", [90.0, -90.0])
def test_quarter_turns_move_pixels(velocity):
    pool = random_pool(14)
    frames = render(pool, single(0.0, velocity), 5, 20)[0, :, 0]
    digit = F.pad(pool[0] / 255, (3,) * 4)
    for t, frame in enumerate(frames):  # rot90 turns counter-clockwise
        assert (frame - torch.rot90(digit, int(t * velocity / 90))).abs().max() < ROUNDING


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


def test_a_smaller_frame_crops_and_a_larger_one_pads():
    pool, recipes = random_pool(28), book(pool=10).draw(4)
    whole = render(pool, recipes, 5, 40)
    assert torch.equal(render(pool, recipes, 5, 28), whole[..., 6:34, 6:34])
    assert torch.equal(render(pool, recipes, 5, 44), F.pad(whole, (2,) * 4))


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


def test_ink_is_added_and_clamped():
    """Two digits show the sum of each alone, up to 1."""
    pool, recipes = random_pool(14), book(pool=10).draw(3)
    alone = [
        Recipes(*(getattr(recipes, name)[:, d : d + 1] for name in ("digit", "start", "velocity"))) for d in (0, 1)
    ]
    summed = sum(render(pool, part, 4, 20) for part in alone)
    assert summed.max() > 1
    assert (render(pool, recipes, 4, 20) - summed.clamp(max=1)).abs().max() < 1e-6
