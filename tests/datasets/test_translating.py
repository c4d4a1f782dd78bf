import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from benchmarks import plain
from fernn.datasets.storage import write_arrays
from fernn.datasets.translating import RecipeBook, Recipes, RenderedSequences, read_recipes, render, write_recipes
from fernn.errors import FernnError
from fernn.flows import Translation


def book(k: int = 2, digits: int = 2, frame: int = 28, stream: str = "test-V2T", pool: int = 1000) -> RecipeBook:
    return RecipeBook(42, stream, pool, digits, frame, Translation(k))


def random_pool(height: int = 6, width: int = 6, count: int = 10) -> Tensor:
    return torch.randint(0, 256, (count, height, width), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def equal(one: Recipes, two: Recipes) -> bool:
    return all(torch.equal(getattr(one, name), getattr(two, name)) for name in ("digit", "start", "velocity"))


def test_known_recipes():
    """A change here changes every data set: old results could no longer be repeated."""
    recipes = book().draw(2, first=7)
    assert recipes.digit.tolist() == [[38, 405], [674, 545]]
    assert recipes.start.tolist() == [[[23, 25], [16, 5]], [[17, 27], [3, 9]]]
    assert recipes.velocity.tolist() == [[[-2, -2], [-2, 0]], [[0, 0], [2, 0]]]


@given(st.integers(0, 30), st.integers(0, 30), st.integers(0, 2), st.integers(1, 3))
def test_any_part_can_be_drawn_alone(first, count, epoch, digits):
    whole = book(digits=digits).draw(60, epoch=epoch)
    assert equal(book(digits=digits).draw(count, first, epoch), whole[first : first + count])


def test_epochs_and_streams_differ():
    first = book().draw(50)
    assert not equal(first, book().draw(50, epoch=1))
    assert not equal(first, book(stream="validation-V2T").draw(50))


@pytest.mark.parametrize("k", [0, 1, 2])
def test_ranges(k):
    recipes = book(k, pool=13, frame=9).draw(4000)
    assert set(recipes.digit.unique().tolist()) == set(range(13))
    assert set(recipes.start.unique().tolist()) == set(range(9))
    assert {tuple(v) for v in recipes.velocity.flatten(0, 1).tolist()} == set(Translation(k).generators)


def test_the_digits_of_a_sequence_move_on_their_own():
    recipes = book().draw(4000)
    both = (recipes.velocity[:, 0] == recipes.velocity[:, 1]).all(-1).double().mean().item()
    assert both == pytest.approx(1 / 25, abs=0.013)  # four standard deviations


def test_moving_at():
    recipes = book().draw(5)
    fixed = recipes.moving_at((2, -1))
    assert fixed.velocity.tolist() == [[[2, -1]] * 2] * 5
    assert torch.equal(fixed.start, recipes.start)
    assert torch.equal(fixed.digit, recipes.digit)


@given(
    digits=st.integers(1, 3),
    k=st.integers(0, 3),
    size=st.tuples(st.integers(1, 6), st.integers(1, 6)),
    more=st.integers(0, 5),
    frames=st.integers(1, 9),
)
def test_rendering_is_the_plain_way(digits, k, size, more, frames):
    """Exactly: each pixel is the same sum, divided and clamped alike."""
    pool, side = random_pool(*size), max(size) + more
    recipes = book(k, digits, side, pool=len(pool)).draw(4)
    found = render(pool, recipes, frames, side)
    assert found.shape == (4, frames, 1, side, side)
    assert found.dtype == torch.float32
    assert torch.equal(found, plain.render(pool, recipes, frames, side))


def test_a_digit_moves_right_and_down():
    pool = torch.zeros(1, 3, 3, dtype=torch.uint8)
    pool[0, 0, 0] = 255
    recipes = Recipes(torch.tensor([[0]]), torch.tensor([[[1, 0]]]), torch.tensor([[[1, 2]]]))
    frames = render(pool, recipes, 3, 3)[0, :, 0]
    assert [tuple(frame.nonzero()[0].tolist()) for frame in frames] == [(0, 1), (2, 2), (1, 0)]  # (row, column)


def test_ink_is_clamped():
    pool = torch.full((1, 2, 2), 200, dtype=torch.uint8)
    recipes = Recipes(torch.zeros(1, 2, dtype=torch.long), *torch.zeros(2, 1, 2, 2, dtype=torch.long))
    assert torch.equal(render(pool, recipes, 2, 2), torch.ones(1, 2, 1, 2, 2))


def test_batches_of_fixed_recipes():
    pool = random_pool()
    recipes, rendered = book(frame=8, pool=10).draw(7), RenderedSequences(random_pool(), 4, 8)
    frames = rendered.of(recipes)
    assert torch.equal(torch.cat([frames(0, 3), frames(3, 3), frames(6, 1)]), render(pool, recipes, 4, 8))


def test_batches_drawn_while_training():
    """Any batch of any epoch can be made again, in any order."""
    recipes = book(frame=8, pool=10)
    frames = RenderedSequences(random_pool(), 4, 8).drawn(recipes, 6)
    later, first = frames(1, 2, 3), frames(0, 0, 6)
    assert torch.equal(first, render(random_pool(), recipes.draw(6), 4, 8))
    assert torch.equal(later, render(random_pool(), recipes.draw(3, 2, epoch=1), 4, 8))
    assert torch.equal(frames(1, 2, 3), later)


def test_recipes_in_a_file(tmp_path):
    recipes = book().draw(5)
    write_recipes(tmp_path / "a", recipes, {"seed": 42})
    write_recipes(tmp_path / "b", recipes, {"seed": 42})
    assert equal(read_recipes(tmp_path / "a"), recipes)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_file_of_another_kind(tmp_path):
    write_arrays(tmp_path / "digits", {"train": torch.zeros(1)}, {})
    with pytest.raises(FernnError, match=r"digits: .*train.*digit, start, velocity"):
        read_recipes(tmp_path / "digits")
