"""Every device makes the batches that the CPU makes, without a wait."""

from fernn.datasets import rotating, translating
from fernn.datasets.moving_clips import drawn_at_random, gather

from .problems import FRAMES, ROTATIONS, SIDE, TRANSLATIONS, clips_of, random_bytes
from .waits import never_waits


def apart(device) -> float:
    """CUDA divides bytes by 255 as it multiplies them by 1 / 255, which may differ in the last bit."""
    return 2**-23 if device.type == "cuda" else 0.0


def test_translating_digits(device):
    pool, recipes = random_bytes(10, 8, 8), TRANSLATIONS.draw(6)
    there = pool.to(device), recipes.to(device)
    with never_waits(device):
        found = translating.render(*there, FRAMES, SIDE)
    assert (found.cpu() - translating.render(pool, recipes, FRAMES, SIDE)).abs().max() <= apart(device)


def test_rotating_digits(device):
    pool, recipes = random_bytes(10, 28, 28), ROTATIONS.draw(4)
    there = pool.to(device), recipes.to(device)
    with never_waits(device):
        found = rotating.render(*there, FRAMES, 40)
    assert (found.cpu() - rotating.render(pool, recipes, FRAMES, 40)).abs().max() < 1e-5  # coordinates in float32


def test_moving_clips(device):
    clips = drawn_at_random(clips_of(8), 42, "train", 0, flip=0.5)
    frames = random_bytes(20 * 8, 6, 7)
    there = frames.to(device), clips.to(device)
    with never_waits(device):
        found = gather(*there, FRAMES, 2)
    assert (found.cpu() - gather(frames, clips, FRAMES, 2)).abs().max() <= apart(device)
