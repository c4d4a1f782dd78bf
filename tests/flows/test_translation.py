"""psi_t(nu) on the torus, against torch.roll."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fernn.flows import Translation

SIDES = st.integers(1, 6)
TIMES = st.integers(-50, 50)
FLOWS = st.integers(0, 2).map(Translation)


def random_maps(flow: Translation, height: int, width: int) -> torch.Tensor:
    return torch.randn(2, len(flow), 3, height, width)


def test_generators_stand_in_the_order_of_the_released_code():
    assert Translation(1).generators == (
        (-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 0), (0, 1), (1, -1), (1, 0), (1, 1),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("velocity", "column", "row"), [((1, 0), 2, 1), ((-1, 0), 0, 1), ((0, 1), 1, 2), ((0, -1), 1, 0), ((1, -1), 2, 0)]
)
def test_vx_moves_along_columns_and_vy_along_rows(velocity, column, row):
    """To the right and downwards; from a pixel in column 1, row 1 of a map that is wider than high."""
    flow = Translation(1)
    maps = torch.zeros(1, 1, 1, 3, 5)
    maps[..., 1, 1] = 1
    (moved,) = flow.move(maps, 1)[:, flow.generators.index(velocity), 0]
    assert moved.nonzero().tolist() == [[row, column]]


@given(FLOWS, SIDES, SIDES, TIMES)
def test_move_is_a_roll(flow, height, width, time):
    maps = random_maps(flow, height, width)
    rolled = [torch.roll(maps[:, i], (time * vy, time * vx), (2, 3)) for i, (vx, vy) in enumerate(flow.generators)]
    assert torch.equal(flow.move(maps, time), torch.stack(rolled, 1))


@given(FLOWS, SIDES, SIDES, TIMES)
def test_sources_are_the_move(flow, height, width, time):
    maps = random_maps(flow, height, width)
    sources = flow.sources(time, height, width)
    assert sources.shape == (len(flow), height * width)
    assert torch.equal(sources.sort(1).values, torch.arange(height * width).expand_as(sources))
    gathered = maps.flatten(3).gather(3, sources.view(1, len(flow), 1, -1).expand(2, -1, 3, -1))
    assert torch.equal(gathered.unflatten(3, (height, width)), flow.move(maps, time))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_a_move_rounds_nothing(dtype):
    flow = Translation(2)
    maps = random_maps(flow, 5, 4).to(dtype)
    there = flow.move(maps, 3)
    assert there.dtype == dtype
    assert torch.equal(flow.move(there, -3), maps)
