from dataclasses import fields

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from fernn.datasets.moving_clips import Clips, drawn_at_random, gather, in_the_middle, select_clips
from fernn.flows.translation import Translation

PERSONS = range(1, 26)


def index_of(lengths: list[int], persons: list[int] | None = None) -> dict[str, Tensor]:
    """Sequences one after the other, as the file of all frames lists them."""
    length = torch.tensor(lengths)
    return {
        "person": torch.tensor(persons or [1 + i % 25 for i in range(len(lengths))]),
        "label": torch.arange(len(lengths)) % 6,
        "length": length,
        "offset": length.cumsum(0) - length,
    }


def everyone(lengths: list[int], k: int = 2, frames: int = 3, stride: int = 2, seed: int = 42) -> Clips:
    return select_clips(index_of(lengths), list(PERSONS), frames, stride, Translation(k), seed)


def equal(one: Clips, two: Clips) -> bool:
    return all(torch.equal(getattr(one, field.name), getattr(two, field.name)) for field in fields(Clips))


def frames_of(count: int, height: int = 6, width: int = 6) -> Tensor:
    generator = torch.Generator().manual_seed(count)
    return torch.randint(0, 256, (count, height, width), dtype=torch.uint8, generator=generator)


def clip_by_rolls(frames: Tensor, clips: Clips, i: int, length: int, stride: int) -> Tensor:
    """One clip, frame by frame: roll to the right and down, then turn left to right."""
    (vx, vy), clip = clips.velocity[i].tolist(), []
    for t in range(length):
        frame = frames[int(clips.first[i]) + t * stride].float() / 255
        frame = torch.roll(frame, (t * vy, t * vx), (0, 1))
        clip.append(torch.flip(frame, [1]) if clips.flip[i] else frame)
    return torch.stack(clip).unsqueeze(1)


@given(
    lengths=st.lists(st.integers(1, 20), min_size=1, max_size=8),
    k=st.integers(0, 4),
    length=st.integers(1, 5),
    stride=st.integers(1, 3),
    size=st.tuples(st.integers(1, 7), st.integers(1, 7)),
    epoch=st.integers(0, 3),
)
def test_gathering_is_the_plain_way(lengths, k, length, stride, size, epoch):
    """Exactly: each pixel is one pixel."""
    frames = frames_of(sum(lengths), *size)
    chosen = everyone(lengths, k, length, stride)
    for clips in (chosen, in_the_middle(chosen), drawn_at_random(chosen, 42, "train", epoch, flip=0.5)):
        found = gather(frames, clips, length, stride)
        assert found.shape == (len(clips), length, 1, *size)
        assert found.dtype == torch.float32
        for i in range(len(clips)):
            assert torch.equal(found[i], clip_by_rolls(frames, clips, i, length, stride))


@pytest.mark.parametrize(("flip", "columns"), [(False, [0, 1, 2, 0]), (True, [2, 1, 0, 2])])
def test_a_clip_moves_right_and_down_with_its_velocity(flip, columns):
    frames = torch.zeros(9, 4, 3, dtype=torch.uint8)
    frames[:, 0, 0] = 255
    one = torch.tensor([1])
    clips = Clips(first=one, room=one, label=one, velocity=torch.tensor([[1, 2]]), flip=torch.tensor([flip]))
    moved = gather(frames, clips, 4, 2)[0, :, 0]
    assert [tuple(frame.nonzero()[0].tolist()) for frame in moved] == list(zip([0, 2, 0, 2], columns, strict=True))
    assert moved.max() == 1


def test_known_recipes():
    """A change here changes every data set: old results could no longer be repeated."""
    clips = everyone([60, 37, 50, 33, 45], frames=16)
    assert clips.velocity.tolist() == [[2, 0], [1, 1], [1, 0], [-1, 2], [-1, 2]]
    drawn = drawn_at_random(clips, 42, "train", 3, flip=0.5)
    assert drawn.label.tolist() == [3, 4, 1, 0, 2]
    assert drawn.first.tolist() == [147, 184, 65, 10, 114]
    assert drawn.flip.tolist() == [False, False, False, True, False]


def test_only_sequences_that_hold_a_clip():
    clips = everyone([5, 6, 7, 2, 10])
    assert clips.label.tolist() == [1, 2, 4]
    assert clips.first.tolist() == [5, 11, 20]
    assert clips.room.tolist() == [0, 1, 4]
    assert not clips.flip.any()


def test_split_by_persons():
    persons = [3, 1, 2, 3, 1, 2, 2]
    index = index_of([8] * 7, persons)
    parts = [select_clips(index, chosen, 3, 2, Translation(2), 42) for chosen in ([1], [2, 3], [4])]
    assert [(clips.first // 8).tolist() for clips in parts] == [[1, 4], [0, 2, 3, 5, 6], []]


@given(persons=st.sets(st.integers(1, 25), min_size=1), frames=st.integers(1, 4), seed=st.integers(0, 5))
def test_the_velocity_of_a_sequence_does_not_depend_on_the_split(persons, frames, seed):
    lengths = [6 + i % 4 for i in range(60)]
    index, flow = index_of(lengths), Translation(2)
    whole = select_clips(index, list(PERSONS), 3, 2, flow, seed)
    velocity = dict(zip(whole.first.tolist(), whole.velocity.tolist(), strict=True))
    part = select_clips(index, sorted(persons), frames, 2, flow, seed)
    assert all(velocity[first] == v for first, v in zip(part.first.tolist(), part.velocity.tolist(), strict=True))


def test_velocities_are_uniform_on_the_flow():
    for k, critical in ((0, 0), (1, 31.9), (2, 59.0)):  # chi-square, a chance of 1 in 10,000
        drawn = everyone([6] * 20_000, k).velocity
        found, counts = drawn.unique(dim=0, return_counts=True)
        assert {tuple(v) for v in found.tolist()} == set(Translation(k).generators)
        expected = len(drawn) / len(found)
        assert ((counts - expected) ** 2 / expected).sum() <= critical


def test_the_middle():
    clips = everyone([6, 7, 8, 9, 16])
    assert in_the_middle(clips).first.tolist() == [0, 6, 14, 22, 35]


def drawn_epochs(clips: Clips, count: int, flip: float = 0.5) -> list[Clips]:
    return [drawn_at_random(clips, 42, "train", epoch, flip) for epoch in range(count)]


def test_starts_cover_the_sequence_and_never_leave_it():
    lengths = [6, 7, 8, 11]
    clips = everyone(lengths)
    begins = clips.first.tolist()
    seen = np.zeros((4, 6), dtype=int)
    for drawn in drawn_epochs(clips, 600):
        for label, first in zip(drawn.label.tolist(), drawn.first.tolist(), strict=True):
            seen[label, first - begins[label]] += 1
    for counts, length in zip(seen, lengths, strict=True):
        places = length - 6 + 1  # a clip of 3 frames, every second one, has 6 of the sequence
        assert counts.sum() == 600
        assert not counts[places:].any()
        assert counts[:places].min() > 600 / places - 5 * (600 / places) ** 0.5


def test_an_epoch_holds_each_clip_once_in_an_order_of_its_own():
    clips = everyone([10] * 50)
    sequence = {first: i for i, first in enumerate(clips.first.tolist())}
    orders = []
    for drawn in drawn_epochs(clips, 3):
        order = [sequence[first - first % 10] for first in drawn.first.tolist()]
        assert sorted(order) == list(range(50))
        orders.append(order)
        assert torch.equal(drawn.velocity, clips.velocity[order])  # a recipe stays together
        assert torch.equal(drawn.label, clips.label[order])
    assert orders[0] != orders[1] != orders[2] != sorted(orders[2])


def test_epochs_repeat_and_differ():
    clips = everyone([10] * 50)
    first, other = drawn_epochs(clips, 2)
    assert equal(drawn_at_random(clips, 42, "train", 0, 0.5), first)
    for changed in (other, drawn_at_random(clips, 43, "train", 0, 0.5), drawn_at_random(clips, 42, "test", 0, 0.5)):
        assert not torch.equal(changed.first, first.first)
        assert not torch.equal(changed.flip, first.flip)


def test_place_order_and_flip_are_independent():
    drawn = drawn_at_random(everyone([15] * 4000), 42, "train", 0, 0.5)
    start, place = (drawn.first % 15).double(), (drawn.first // 15).double()
    rows = torch.stack([start, place, drawn.flip.double(), torch.arange(4000).double()])
    together = torch.corrcoef(rows) - torch.eye(4)
    assert together.abs().max() < 4 / 4000**0.5
