"""Colliding MNIST: two digits on a torus that exchange velocities when they meet (docs/collision.md; not in the paper).

The digits have equal masses. At each frame the line of centres is rounded to the nearest of the eight directions of the
grid. If the centres are closer than `contact` and approach each other along that direction, the digits exchange the
components of their velocities that the direction has: one, or on a diagonal both. A component is exchanged whole, so
momentum and energy are conserved exactly and velocities stay in V. Between collisions all moves are whole pixels.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from fernn.datasets import translating
from fernn.datasets.counter import below, words
from fernn.datasets.sequences import Recipes
from fernn.datasets.translating import Translating, TranslationSampler
from fernn.flows.translation import Translation


@dataclass(frozen=True)
class CollisionSampler(TranslationSampler):
    """The distribution of recipes (see `Motion.sampler`): as of translations, but the second digit starts at a place
    uniform on those that are at least `contact` pixels away from the first.
    """

    contact: int

    def draw(self, count: int, first: int = 0, epoch: int = 0) -> Recipes:
        """Recipes `first` ... `first + count - 1` of an epoch; the same for any range that they are drawn in."""
        recipes = super().draw(count, first, epoch)
        offsets = torch.cartesian_prod(*2 * [torch.arange(self.frame)])
        apart = offsets[_shortest(offsets, self.frame).square().sum(-1) >= self.contact**2]
        drawn = words(self.seed, f"{self.stream}/apart", epoch, first, count, 1)[:, 0]
        one = recipes.start[:, 0]
        other = (one + apart[torch.from_numpy(below(drawn, len(apart)))]) % self.frame
        return replace(recipes, start=torch.stack([one, other], 1))


@dataclass(frozen=True)
class Colliding(Translating):
    """A `Motion`: two digits that move by velocities of V_k^T and collide when closer than `contact` pixels."""

    contact: int

    def sampler(self, flow: str, seed: int, stream: str, pool: int, digits: int) -> CollisionSampler:
        """The distribution of recipes."""
        return CollisionSampler(seed, stream, pool, digits, self.frame, Translation.parse(flow), self.contact)

    def render(self, pool: Tensor, recipes: Recipes, frames: int, side: int) -> Tensor:
        """Frames of recipes; see `Motion.render`. Each digit is at the place of its path."""
        places, _ = self.paths(recipes, frames)
        moments = places.transpose(1, 2).flatten(0, 1)  # (N * T, 2, 2)
        still = Recipes(recipes.digit.repeat_interleave(frames, 0), moments, torch.zeros_like(moments))
        return translating.render(pool, still, 1, side).view(len(recipes), frames, 1, side, side)

    def paths(self, recipes: Recipes, frames: int) -> tuple[Tensor, Tensor]:
        """Where the digits of N recipes are at each frame, and at which velocities they leave: (N, 2, T, 2) each."""
        place, velocity, found = recipes.start, recipes.velocity, []
        for _ in range(frames):
            velocity = exchanged(place, velocity, self.frame, self.contact)
            found.append((place, velocity))
            place = (place + velocity) % self.frame
        places, velocities = (torch.stack(each, 2) for each in zip(*found, strict=True))
        return places, velocities

    def straight(self, recipes: Recipes, frame: int) -> Recipes:
        """A plain translation through the places at a frame (from 0, but the first), at the velocities of arrival."""
        places, velocities = self.paths(recipes, frame + 1)
        velocity = velocities[:, :, frame - 1]
        return replace(recipes, start=places[:, :, frame] - frame * velocity, velocity=velocity)


def exchanged(place: Tensor, velocity: Tensor, side: int, contact: int) -> Tensor:
    """Velocities (N, 2, 2) after the collisions of two digits at `place`, (N, 2, 2) in pixels as (x, y)."""
    if place.shape[1] < 2:
        return velocity
    between = _shortest(place[:, 1] - place[:, 0], side)
    size = between.abs()
    along = between.sign() * (5 * size > 2 * size.flip(-1))  # 2/5 is about the tangent of 22.5 degrees
    near = between.square().sum(-1) < contact**2
    approach = ((velocity[:, 1] - velocity[:, 0]) * along).sum(-1) < 0
    swap = ((near & approach).unsqueeze(-1) & (along != 0)).unsqueeze(1)
    return torch.where(swap, velocity.flip(1), velocity)


def _shortest(offset: Tensor, side: int) -> Tensor:
    """Offsets on a torus as the shortest ones."""
    return (offset + side // 2) % side - side // 2
