"""What recipes of all flows have in common: random numbers, batches, epochs, files."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from fernn.arrays import write_arrays
from fernn.datasets import rotating, translating
from fernn.datasets.counter import below, unit, words
from fernn.datasets.sequences import Recipes, Render, RenderedSequences, Sampler, Velocity
from fernn.errors import FernnError
from fernn.flows.rotation import Rotation
from fernn.flows.translation import Translation

FRAMES, SIDE, DIGITS = 4, 8, 10


@dataclass(frozen=True)
class Kind:
    """A kind of flow: how recipes are drawn and rendered, and a velocity."""

    book: Sampler
    render: Render
    velocity: Velocity


KINDS = {
    "translating": Kind(
        translating.TranslationSampler(42, "test", DIGITS, 2, SIDE, Translation(2)), translating.render, (2, -1)
    ),
    "rotating": Kind(rotating.RotationSampler(42, "test", DIGITS, 2, Rotation(4)), rotating.render, -17.5),
}


kinds = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)


def pool() -> Tensor:
    return torch.randint(0, 256, (DIGITS, 6, 6), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def equal(one: Recipes, two: Recipes) -> bool:
    pairs = [(getattr(one, name), getattr(two, name)) for name in ("digit", "start", "velocity")]
    return all(first.dtype == second.dtype and torch.equal(first, second) for first, second in pairs)


@kinds
@given(st.integers(0, 30), st.integers(0, 30), st.integers(0, 2), st.integers(1, 3))
def test_any_part_can_be_drawn_alone(kind, first, count, epoch, digits):
    book = replace(kind.book, digits=digits)
    whole = book.draw(60, epoch=epoch)
    assert equal(book.draw(count, first, epoch), whole[first : first + count])


@kinds
def test_epochs_and_streams_differ(kind):
    first = kind.book.draw(50)
    assert not equal(first, kind.book.draw(50, epoch=1))
    assert not equal(first, replace(kind.book, stream="validation").draw(50))


@kinds
def test_moving_at(kind):
    recipes = kind.book.draw(5)
    fixed = recipes.moving_at(kind.velocity)
    expected = list(kind.velocity) if isinstance(kind.velocity, tuple) else kind.velocity
    assert fixed.velocity.tolist() == [[expected] * 2] * 5
    assert fixed.velocity.dtype == recipes.velocity.dtype
    assert torch.equal(fixed.start, recipes.start)
    assert torch.equal(fixed.digit, recipes.digit)


@kinds
def test_batches_of_fixed_recipes(kind):
    recipes, rendered = kind.book.draw(7), RenderedSequences(kind.render, pool(), FRAMES, SIDE)
    frames = rendered.of(recipes)
    expected = kind.render(pool(), recipes, FRAMES, SIDE)
    assert expected.shape == (7, FRAMES, 1, SIDE, SIDE)
    assert torch.equal(torch.cat([frames(0, 3), frames(3, 3), frames(6, 1)]), expected)


@kinds
def test_batches_drawn_while_training(kind):
    """Any batch of any epoch can be reproduced, in any order."""
    frames = RenderedSequences(kind.render, pool(), FRAMES, SIDE).drawn(kind.book, 6)
    later, first = frames(1, 2, 3), frames(0, 0, 6)
    assert torch.equal(first, kind.render(pool(), kind.book.draw(6), FRAMES, SIDE))
    assert torch.equal(later, kind.render(pool(), kind.book.draw(3, 2, epoch=1), FRAMES, SIDE))
    assert torch.equal(frames(1, 2, 3), later)


@kinds
def test_recipes_in_a_file(kind, tmp_path):
    recipes = kind.book.draw(5)
    recipes.write(tmp_path / "a")
    recipes.write(tmp_path / "b")
    assert equal(Recipes.read(tmp_path / "a"), recipes)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_file_of_another_kind(tmp_path):
    write_arrays(tmp_path / "digits", {"train": torch.zeros(1)}, {})
    with pytest.raises(FernnError, match=r"digits: .*train.*digit, start, velocity"):
        Recipes.read(tmp_path / "digits")


COUNT = 60


@given(st.integers(0, COUNT), st.integers(0, COUNT), st.integers(1, 9), st.integers(0, 3))
def test_any_words_can_be_drawn_alone(first, count, width, epoch):
    whole = words(7, "train", epoch, 0, 2 * COUNT, width)
    assert np.array_equal(words(7, "train", epoch, first, count, width), whole[first : first + count])


def test_known_words():
    """A change here changes every data set: old results could no longer be repeated."""
    assert words(42, "train", 3, 5, 2, 6).tolist() == [
        [
            14499938097373450564, 18116705610785646079, 15789956338504513852,
            3671176898434361301, 4685191920813033889, 17666169103325830413,
        ],
        [
            941644208394900214, 4290670597764551727, 10121163452888146163,
            15501363902705022913, 9343399347390242134, 15313815600497028649,
        ],
    ]  # fmt: skip


@pytest.mark.parametrize("other", [(8, "train", 0), (7, "test", 0), (7, "train", 1)], ids=["seed", "stream", "epoch"])
def test_streams_are_independent(other):
    one, two = words(7, "train", 0, 0, 2000, 4), words(*other, 0, 2000, 4)
    assert np.intersect1d(one, two).size == 0
    together = np.corrcoef(unit(one).ravel(), unit(two).ravel())[0, 1]
    assert abs(together) < 4 / np.sqrt(one.size)


@pytest.mark.parametrize(("bound", "critical"), [(2, 15.2), (9, 31.9), (25, 59.0), (28, 63.5)])
def test_whole_numbers_are_uniform(bound, critical):
    """Chi-square of 100,000 draws; the critical value belongs to a chance of 1 in 10,000."""
    drawn = below(words(7, "train", 0, 0, 25_000, 4), bound)
    counts = np.bincount(drawn.ravel(), minlength=bound)
    assert counts.size == bound
    expected = drawn.size / bound
    assert ((counts - expected) ** 2 / expected).sum() < critical


def test_whole_numbers_at_the_ends():
    ends = np.array([0, 2**64 - 1], dtype=np.uint64)
    for bound in (1, 2, 28, 54_000):
        assert below(ends, bound).tolist() == [0, bound - 1]


def test_unit_is_uniform_and_below_one():
    assert unit(np.array([0, 2**64 - 1], dtype=np.uint64)).tolist() == [0.0, 1 - 2.0**-53]
    drawn = unit(words(7, "angles", 0, 0, 25_000, 4)).ravel()
    sorted_, grid = np.sort(drawn), np.arange(drawn.size) / drawn.size
    assert np.abs(sorted_ - grid).max() < 2.2 / np.sqrt(drawn.size)  # Kolmogorov-Smirnov, a chance of 1 in 10,000
