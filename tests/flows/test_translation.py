"""psi_t(nu) on the torus, against torch.roll."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fernn.errors import FernnError
from fernn.flows import Translation

SIDES = st.integers(1, 6)
TIMES = st.integers(-50, 50)
FLOWS = st.integers(0, 2).map(Translation)


def random_maps(flow: Translation, height: int, width: int) -> torch.Tensor:
    return torch.randn(2, len(flow), 3, height, width)


@pytest.mark.parametrize(("k", "count"), [(0, 1), (1, 9), (2, 25)])
def test_generators(k, count):
    flow = Translation(k)
    assert len(flow) == len(flow.generators) == len(set(flow.generators)) == count
    assert all(max(abs(vx), abs(vy)) <= k for vx, vy in flow.generators)


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
def test_one_map_is_moved_by_every_generator(flow, height, width, time):
    maps = random_maps(flow, height, width)[:, :1]
    assert torch.equal(flow.move(maps, time), flow.move(maps.expand(-1, len(flow), -1, -1, -1), time))


@given(FLOWS, SIDES, SIDES, TIMES, TIMES)
def test_group_law(flow, height, width, s, t):
    maps = random_maps(flow, height, width)
    assert torch.equal(flow.move(flow.move(maps, t), s), flow.move(maps, s + t))
    assert torch.equal(flow.move(flow.move(maps, t), -t), maps)
    assert torch.equal(flow.move(maps, 0), maps)


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


@pytest.mark.parametrize("k", [0, 1, 2, 11])
def test_name_and_parse(k):
    assert Translation.parse(f"V{k}T") == Translation(k)
    assert Translation(k).name == f"V{k}T"
    assert hash(Translation.parse(f"V{k}T")) == hash(Translation(k))
    assert Translation(k) != Translation(k + 1)
    assert eval(repr(Translation(k))) == Translation(k)


@pytest.mark.parametrize("name", ["", "V2", "2T", "V2R", "V-1T", "VxT", "V2T ", "v2t"])
def test_names_of_no_flow(name):
    with pytest.raises(FernnError, match=r"names no flow of translation: expected V0T"):
        Translation.parse(name)


@pytest.mark.parametrize("k", [-1, 1.0, True, "2", None])
def test_speeds_that_are_none(k):
    with pytest.raises(FernnError, match=r"whole number of at least 0"):
        Translation(k)


@pytest.mark.parametrize("shape", [(2, 3, 4, 5, 5), (9, 4, 5, 5), (1, 2, 9, 4, 5, 5)])
def test_maps_of_another_shape(shape):
    with pytest.raises(FernnError, match=r"Translation\(k=1\).move got maps of shape .*9 or 1"):
        Translation(1).move(torch.zeros(shape), 1)
