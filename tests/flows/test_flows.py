"""What translations and rotations have in common: names, sizes, one map for all generators, refused arguments."""

import math

import pytest
import torch
import torch.nn.functional as F

from fernn.errors import FernnError
from fernn.flows import Rotation, Scaling, Shift1d, Translation


@pytest.mark.parametrize("k", [0, 1, 4, 11])
@pytest.mark.parametrize(
    ("kind", "letter", "count"),
    [
        (Translation, "T", lambda k: (2 * k + 1) ** 2),
        (Rotation, "R", lambda k: 2 * k + 1),
        (Scaling, "S", lambda k: 2 * k + 1),
        (Shift1d, "X", lambda k: 2 * k + 1),
    ],
)
def test_names_and_sizes(kind, letter, count, k):
    flow = kind(k)
    assert flow.name == f"V{k}{letter}"
    assert kind.parse(flow.name) == kind.of(flow.name) == kind.of(flow) == flow != kind(k + 1)
    assert hash(kind.parse(flow.name)) == hash(flow)
    assert eval(repr(flow)) == flow
    assert len(flow) == len(flow.generators) == len(set(flow.generators)) == count(k)


def test_degrees_are_part_of_a_rotation():
    assert Rotation.parse("V2R", 30) == Rotation.of("V2R", 30) == Rotation(2, 30) != Rotation(2)
    assert eval(repr(Rotation(2, 22.5))) == Rotation(2, 22.5)


@pytest.mark.parametrize("name", ["", "V2", "2T", "2R", "V-1T", "V-1R", "VxR", "V2T ", "V2R ", "v2t"])
@pytest.mark.parametrize(
    ("kind", "said", "other"),
    [(Translation, "translation: expected V0T", "V2R"), (Rotation, "rotation: expected V0R", "V2T")],
    ids=["translation", "rotation"],
)
def test_names_of_no_flow(kind, said, other, name):
    for each in (name, other):
        with pytest.raises(FernnError, match=f"names no flow of {said}"):
            kind.parse(each)


@pytest.mark.parametrize("flow", [Translation(2), Rotation(3, 0.1), Scaling(3), Shift1d(1)], ids=str)
def test_differences_stay_in_v_or_are_none(flow):
    points = [each if isinstance(each, tuple) else (each,) for each in flow.generators]
    for nu, a in zip(flow.generators, points, strict=True):
        for nu_hat, b in zip(flow.generators, points, strict=True):
            expected = tuple(x - y for x, y in zip(a, b, strict=True))
            near = [each for each, p in zip(flow.generators, points, strict=True) if p == pytest.approx(expected)]
            assert flow.difference(nu, nu_hat) == (near[0] if near else None)


class Zoom(Translation):
    def move(self, maps, time, order=1):
        return maps * 2


class Half(Translation):
    generators = ((0.5, 0), (0, 0))


class Line(Translation):
    generators = (-1, 0, 1)


class Space(Translation):
    generators = ((0, 0, 0), (1, 0, 0))


@pytest.mark.parametrize(
    ("flow", "said"),
    [
        (Zoom(1), r"Zoom moves maps in a way of its own \(move\).*ReferenceCell"),
        (Half(1), "whole pixels per frame"),
        (Line(1), "-1; expected"),
        (Space(1), "0, 0\\); expected"),
    ],
)
def test_a_subclass_that_moves_otherwise_is_refused(flow, said):
    """`FERNNCell` would compute whole-pixel translations for it."""
    with pytest.raises(FernnError, match=said):
        Translation.of(flow)


class Fine(Rotation):
    generators = (-5.0, 0.0, 5.0)


def test_generators_between_the_steps_of_the_group_are_refused():
    with pytest.raises(FernnError, match=r"turns by 5 degrees per frame, but the group C_36 has steps of 10 degrees"):
        Fine(1).turns(36)
    assert Fine(1).turns(72) == (-1, 0, 1)


@pytest.mark.parametrize("time", [-3, 0, 2])
@pytest.mark.parametrize(
    ("flow", "order"), [(Translation(0), ()), (Translation(2), ()), (Rotation(0, 45), (8,)), (Rotation(2, 45), (8,))]
)
def test_one_map_is_moved_by_every_generator(flow, order, time):
    maps = torch.randn(2, 1, 8, 5, 5)
    assert torch.equal(flow.move(maps, time, *order), flow.move(maps.expand(-1, len(flow), -1, -1, -1), time, *order))


@pytest.mark.parametrize("k", [-1, 1.0, True, "2", None])
@pytest.mark.parametrize("kind", [Translation, Rotation, Scaling])
def test_numbers_of_steps_that_are_none(kind, k):
    with pytest.raises(FernnError, match="whole number of at least 0"):
        kind(k)


@pytest.mark.parametrize("degrees", [0.0, -10.0, math.inf, math.nan])
def test_degrees_that_are_none(degrees):
    with pytest.raises(FernnError, match="a positive number"):
        Rotation(1, degrees)


@pytest.mark.parametrize("factor", [1, 0.5, math.inf, math.nan, "2"])
def test_factors_that_are_none(factor):
    with pytest.raises(FernnError, match="a number of more than 1"):
        Scaling(1, factor)


@pytest.mark.parametrize("time", [-2, 0, 1, 3])
def test_a_zoom_is_grid_sample_and_enlarges(time):
    """By factor^k in a frame."""
    flow, maps = Scaling(2, 1.2), torch.randn(2, 5, 3, 8, 8, dtype=torch.float64)
    moved = flow.move(maps, time)
    for i, power in enumerate(range(-2, 3)):
        matrix = torch.eye(2, 3, dtype=torch.float64).expand(2, 2, 3) / 1.2 ** (time * power)
        grid = F.affine_grid(matrix, maps[:, i].shape, align_corners=False)
        assert torch.allclose(moved[:, i], F.grid_sample(maps[:, i], grid, align_corners=False), atol=1e-8)


def test_turns_that_are_not_in_the_group():
    with pytest.raises(FernnError, match="turns by 10 degrees per frame, but the group C_12 has steps of 30 degrees"):
        Rotation(1).turns(12)


@pytest.mark.parametrize("shape", [(2, 5, 4, 5, 5), (9, 4, 5, 5), (1, 2, 3, 4, 5, 5)])
@pytest.mark.parametrize("flow", [Translation(1), Rotation(1), Scaling(1)], ids=str)
def test_maps_of_another_shape(flow, shape):
    with pytest.raises(FernnError, match=rf"\(k=1.*\)\.move got maps of shape .*{len(flow)} or 1"):
        flow.move(torch.zeros(shape), 1)
