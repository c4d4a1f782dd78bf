import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from fernn.datasets.sequences import Recipes
from fernn.datasets.translating import TranslationSampler, render
from fernn.errors import FernnError
from fernn.flows.translation import Translation
from tests.reference import translation as plain


def book(
    k: int = 2, digits: int = 2, frame: int = 28, stream: str = "test-V2T", pool: int = 1000
) -> TranslationSampler:
    return TranslationSampler(42, stream, pool, digits, frame, Translation(k))


def random_pool(height: int = 6, width: int = 6, count: int = 10) -> Tensor:
    return torch.randint(0, 256, (count, height, width), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def test_known_recipes():
    """A change here changes every data set: old results could no longer be repeated."""
    recipes = book().draw(2, first=7)
    assert recipes.digit.tolist() == [[38, 405], [674, 545]]
    assert recipes.start.tolist() == [[[23, 25], [16, 5]], [[17, 27], [3, 9]]]
    assert recipes.velocity.tolist() == [[[-2, -2], [-2, 0]], [[0, 0], [2, 0]]]


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


def test_a_frame_holds_a_digit() -> None:
    with pytest.raises(FernnError, match="frames of 4x4 pixels cannot hold digits of 6x6"):
        render(random_pool(), book(pool=10).draw(1), 3, 4)
