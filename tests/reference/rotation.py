"""Reference implementation of experiment B: the paper's equations with escnn as its documentation shows it.

Each frame turns each generator's map with `grid_sample`, rolls its orientations, and calls `R2Conv`, which expands its
filter again at every call while it trains. Tests compare the library with it, and the benchmark measures the speedup.
"""

import math
from copy import deepcopy
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from fernn.datasets.sequences import Recipes
from fernn.models.rotation.basis import r2conv
from fernn.models.rotation.predictor import RotationPredictor
from tests.reference.translation import PlainPredictor


def turned(maps: Tensor, degrees: float) -> Tensor:
    """Maps (B, C, H, W) turned counter-clockwise about their centre, bilinear, zeros outside."""
    a = math.radians(degrees)
    matrix = maps.new_tensor([[math.cos(a), -math.sin(a), 0], [math.sin(a), math.cos(a), 0]])
    grid = F.affine_grid(matrix.expand(len(maps), 2, 3), maps.shape, align_corners=False)
    return F.grid_sample(maps, grid, align_corners=False)


class PlainRotationPredictor(PlainPredictor):
    """The network of a `RotationPredictor`, with a copy of its weights, in the lab frame."""

    def __init__(self, model: RotationPredictor) -> None:
        super().__init__(model)
        self.order = model.config["group_order"]

    @staticmethod
    def kernels(model: RotationPredictor) -> tuple[int, Any, Any]:
        """The channels of a hidden map, and escnn's convolutions U and W."""
        sizes = model.config
        shared = sizes["group_order"], sizes["fields"], sizes["kernel_size"]
        # copies: escnn's convolutions of equal sizes share their samples, and `double()` would turn those of all
        U = deepcopy(r2conv(shared[0], sizes["channels"], *shared[1:], lifting=True))
        W = deepcopy(r2conv(shared[0], sizes["fields"], *shared[1:], lifting=False))
        for mine, theirs in ((U, model.cell.U), (W, model.cell.W)):
            mine.weights.data.copy_(theirs.weights.detach())
        return W.out_type.size, U, W

    def step(self, hidden: Tensor, frame: Tensor) -> Tensor:
        """h_{t+1}(nu) = relu( W * psi_1(nu).h_t(nu) + U * f_t ), (B, V, F*N, H, W) (paper, Section 3)."""
        from escnn.nn import GeometricTensor

        moved = []
        for maps, degrees in zip(hidden.unbind(1), self.flow.generators, strict=True):
            rolled = maps.unflatten(1, (-1, self.order)).roll(round(degrees * self.order / 360), 2).flatten(1, 2)
            moved.append(turned(rolled, degrees))
        maps = torch.stack(moved, 1)
        recurrent = self.W(GeometricTensor(maps.flatten(0, 1), self.W.in_type)).tensor.view_as(maps)
        return torch.relu(recurrent + self.U(GeometricTensor(frame, self.U.in_type)).tensor.unsqueeze(1))

    decoding = staticmethod(partial(F.conv2d, padding=1))


def render_one(pool: Tensor, recipes: Recipes, index: int, frames: int, side: int) -> Tensor:
    """One sequence (T, 1, side, side), as the `__getitem__` of the released data set renders it."""
    sequence = torch.zeros(frames, 1, side, side)
    digits = [pool[number].float() / 255 for number in recipes.digit[index]]
    room = math.ceil((math.sqrt(2) - 1) / 2 * len(digits[0]))  # for a digit's diagonal: 40 pixels for 28
    around = (side - len(digits[0])) // 2 - room  # negative: the frame shows the middle
    for t in range(frames):
        frame = torch.zeros(1, side, side)
        for d, digit in enumerate(digits):
            angle = recipes.start[index, d].item() + recipes.velocity[index, d].item() * t
            image = F.pad(digit, (room,) * 4).unsqueeze(0).unsqueeze(0)
            frame += F.pad(turned(image, angle)[0], (around,) * 4)
        sequence[t] = frame.clamp(0, 1)
    return sequence


def render(pool: Tensor, recipes: Recipes, frames: int, side: int) -> Tensor:
    """All sequences (N, T, 1, side, side), one after the other."""
    return torch.stack([render_one(pool, recipes, index, frames, side) for index in range(len(recipes))])
