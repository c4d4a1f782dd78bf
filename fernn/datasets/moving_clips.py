"""Moving KTH: clips of annotated sequences, moved over a torus as by a moving camera (paper, Section 5.2).

The recipe of a clip has its place in the file of all frames, its velocity, and whether it is flipped. Batches of clips
are gathered on the device that holds the frames.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from fernn.arrays import Aligned
from fernn.datasets.counter import below, unit, words
from fernn.flows.translation import Translation


@dataclass(frozen=True)
class Clips(Aligned):
    """Recipes of the sequences of a split that are long enough for a clip; (S,) unless noted.

    Attributes:
        first: int64, the clip's first frame in the file of all frames.
        room: int64, how many frames later the clip could start.
        label: int64, the action.
        velocity: (S, 2) int64, (vx, vy) in pixels per frame of the clip.
        flip: bool, whether the moved clip is turned left to right.
    """

    first: Tensor
    room: Tensor
    label: Tensor
    velocity: Tensor
    flip: Tensor


def select_clips(
    index: dict[str, Tensor], persons: list[int], frames: int, stride: int, flow: Translation, seed: int
) -> Clips:
    """The sequences of some persons that hold a clip, each starting at its sequence's start.

    Args:
        index: of the file of all frames (see `fernn.data.kth.decode`).
        persons: of the split.
        frames: of a clip.
        stride: frames of the sequence from one frame of the clip to the next.
        flow: a velocity for each sequence is drawn from it, uniformly; it does not depend on the split.
        seed: of the data set.
    """
    generators = np.array(flow.generators)
    drawn = words(seed, f"velocity/{flow.name}", 0, 0, len(index["length"]), 1)[:, 0]
    velocity = torch.from_numpy(generators[below(drawn, len(generators))])
    room = index["length"] - frames * stride
    kept = torch.isin(index["person"], torch.tensor(persons)) & (room >= 0)
    return Clips(
        first=index["offset"][kept],
        room=room[kept],
        label=index["label"][kept],
        velocity=velocity[kept],
        flip=torch.zeros(int(kept.sum()), dtype=torch.bool),
    )


def in_the_middle(clips: Clips) -> Clips:
    """Each clip from the middle of its sequence, for evaluation."""
    return replace(clips, first=clips.first + clips.room // 2)


def drawn_at_random(clips: Clips, seed: int, stream: str, epoch: int, flip: float) -> Clips:
    """The clips of an epoch, in a random order, each from a random place, flipped with probability `flip`."""
    drawn = words(seed, stream, epoch, 0, len(clips), 3)
    order = torch.from_numpy(np.argsort(drawn[:, 0], kind="stable"))
    start = torch.from_numpy(below(drawn[:, 1], clips.room.numpy() + 1))
    return replace(clips, first=clips.first + start, flip=torch.from_numpy(unit(drawn[:, 2]) < flip))[order]


def joined(parts: list[Clips]) -> Clips:
    """Concatenate recipes."""
    return Clips(*map(torch.cat, zip(*(vars(part).values() for part in parts), strict=True)))


def gather(frames: Tensor, clips: Clips, length: int, stride: int) -> Tensor:
    """The moved clips, in one gather.

    Args:
        frames: (N, H, W) uint8, all frames, on the device of the recipes.
        clips: B recipes.
        length: T, frames of a clip.
        stride: frames of the sequence from one frame of the clip to the next.

    Returns:
        (B, T, 1, H, W) float32 in [0, 1]; frame t is moved by t times the velocity, with wrap-around, then flipped.
    """
    height, width = frames.shape[-2:]
    device = frames.device
    time = torch.arange(length, device=device)
    shift = clips.velocity.unsqueeze(1) * time.view(1, -1, 1)  # (B, T, 2) as (x, y)
    across = torch.arange(width, device=device)
    x = torch.where(clips.flip.view(-1, 1, 1), width - 1 - across, across)  # (B, 1, W)
    x = (x - shift[..., :1]) % width
    y = (torch.arange(height, device=device) - shift[..., 1:]) % height
    number = clips.first.view(-1, 1) + stride * time
    # one flat index: several times as fast as an index for each axis
    pixel = (number.unsqueeze(-1) * height + y).unsqueeze(-1) * width + x.unsqueeze(-2)
    moved = frames.flatten().index_select(0, pixel.flatten()).view(pixel.shape)
    return moved.to(torch.float32).div_(255).unsqueeze(2)


def batches(frames: Tensor, clips: Clips, length: int, stride: int) -> Callable[[int, int], tuple[Tensor, Tensor]]:
    """A function of (first, count) that gives moved clips (see `gather`) and labels."""

    def batch(first: int, count: int) -> tuple[Tensor, Tensor]:
        part = clips[first : first + count]
        return gather(frames, part, length, stride), part.label

    return batch
