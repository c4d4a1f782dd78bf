import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fernn.datasets import translating
from fernn.datasets.colliding import Colliding, exchanged
from fernn.datasets.sequences import Recipes
from fernn.flows.translation import Translation

MOTION, FRAMES = Colliding(14, 5), 12


def recipes(k: int = 2, count: int = 500, seed: int = 0) -> Recipes:
    return MOTION.sampler(f"V{k}T", seed, "test", 9, 2).draw(count)


@given(k=st.integers(0, 3), seed=st.integers(0, 99))
def test_collisions_conserve_momentum_and_energy_and_stay_in_v(k, seed):
    _, velocities = MOTION.paths(recipes(k, 50, seed), FRAMES)
    for conserved in (velocities, velocities.square()):
        total = conserved.sum(1)  # along each axis
        assert torch.equal(total, total[:, :1].expand_as(total))
    assert {tuple(v) for v in velocities.flatten(0, 2).tolist()} <= set(Translation(k).generators)


@pytest.mark.parametrize(
    ("between", "one", "other", "after"),
    [
        ((4, 0), (1, 2), (-1, 0), [[-1, 2], [1, 0]]),  # along x, only vx
        ((-1, -4), (1, -2), (2, 1), [[1, 1], [2, -2]]),  # along y, only vy
        ((3, 3), (2, 1), (0, 0), [[0, 0], [2, 1]]),  # on a diagonal, both
        ((12, 0), (-1, 0), (1, 1), [[1, 0], [-1, 1]]),  # across the border of the torus
        ((4, 0), (-1, 0), (1, 0), [[-1, 0], [1, 0]]),  # they part
        ((5, 0), (1, 0), (-1, 0), [[1, 0], [-1, 0]]),  # too far
    ],
)
def test_an_exchange(between, one, other, after):
    place = torch.tensor([[(3, 9), ((3 + between[0]) % 14, (9 + between[1]) % 14)]])
    assert exchanged(place, torch.tensor([[one, other]]), 14, 5)[0].tolist() == after


def test_frames_up_to_the_first_collision_are_those_of_a_translation():
    drawn, pool = recipes(), torch.randint(0, 256, (9, 7, 7), dtype=torch.uint8)
    _, velocities = MOTION.paths(drawn, FRAMES)
    straight = (velocities == drawn.velocity.unsqueeze(2)).all(-1).all(1)  # (N, T), leaving frame t
    same = (MOTION.render(pool, drawn, FRAMES, 14) == translating.render(pool, drawn, FRAMES, 14)).flatten(2).all(2)
    assert same[:, 0].all()
    assert same[:, 1:][straight.cummin(1).values[:, :-1]].all()
    first = straight.logical_not().double().argmax(1)  # where there is one, the next frame differs
    collided = (first > 0) & (first < FRAMES - 1)
    assert collided.double().mean() > 0.4
    assert not same[collided, first[collided] + 1].any()


def test_a_straight_continuation_starts_at_the_last_seen_frame():
    drawn = recipes()
    places, velocities = MOTION.paths(drawn, FRAMES)
    straight = MOTION.straight(drawn, 3)
    found = (straight.start.unsqueeze(2) + straight.velocity.unsqueeze(2) * torch.arange(FRAMES).view(-1, 1)) % 14
    assert torch.equal(found[:, :, 2:4], places[:, :, 2:4])
    unchanged = (velocities[:, :, 3:-1] == velocities[:, :, 2:3]).all(-1).all(1).all(1)
    assert torch.equal(found[unchanged][:, :, 3:], places[unchanged][:, :, 3:])
    assert 0.1 < unchanged.double().mean() < 0.9


def test_digits_start_apart_and_recipes_do_not_depend_on_the_range():
    drawn = recipes()
    gap = (drawn.start[:, 1] - drawn.start[:, 0] + 7) % 14 - 7
    assert gap.square().sum(-1).min() == 25
    part = MOTION.sampler("V2T", 0, "test", 9, 2).draw(10, first=100)
    assert torch.equal(part.start, drawn.start[100:110])
