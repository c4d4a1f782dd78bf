"""Reference implementation: the paper's equations, in the lab frame.

It is what a straightforward implementation does: one roll for each generator and step, maps in PyTorch's own order
(NCHW), a data set that renders one sequence at a time. Tests hold the library to it, and the benchmark measures what
the library gains.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fernn.datasets.sequences import Recipes


def moved(image: Tensor, generator: tuple[int, int], time: int) -> Tensor:
    """psi_t(nu).f of images (..., H, W): a roll by t * (vx, vy), x along the columns."""
    vx, vy = generator
    return torch.roll(image, (time * vy, time * vx), (-2, -1))


def circular_conv(maps: Tensor, weight: Tensor) -> Tensor:
    """The convolution (N, C, H, W) -> (N, C', H, W) on the torus."""
    border = weight.shape[-1] // 2
    return F.conv2d(F.pad(maps, (border,) * 4, mode="circular"), weight)


class PlainPredictor(nn.Module):
    """The network of a `FERNNPredictor`, with a copy of its weights, computed in the lab frame."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.flow = model.cell.flow
        self.hidden, self.U, self.W = self.kernels(model)
        self.decoder = nn.ParameterList(
            weight.detach().clone(memory_format=torch.contiguous_format) for weight in model.decoder.parameters()
        )

    @staticmethod
    def kernels(model: Any) -> tuple[int, Any, Any]:
        """The channels of a hidden map, U and W."""
        U, W = (
            nn.Parameter(each.weight.detach().clone(memory_format=torch.contiguous_format))
            for each in (model.cell.U, model.cell.W)
        )
        return len(W), U, W

    def step(self, hidden: Tensor, frame: Tensor) -> Tensor:
        """h_{t+1}(nu) = relu( W * psi_1(nu).h_t(nu) + U * f_t ), (B, V, C, H, W) (paper, Section 3)."""
        shifted = torch.stack([moved(hidden[:, i], nu, 1) for i, nu in enumerate(self.flow.generators)], 1)
        recurrent = circular_conv(shifted.flatten(0, 1), self.W).unflatten(0, shifted.shape[:2])
        return torch.relu(recurrent + circular_conv(frame, self.U).unsqueeze(1))

    decoding = staticmethod(circular_conv)  # a layer of the decoder

    def forward(self, frames: Tensor, steps: int, return_states: bool = False) -> Any:
        """See frames (B, T, channels, H, W), then predict.

        Returns:
            The predictions (B, steps, channels, H, W), each of which is fed back detached; with `return_states` also
            the hidden states h_1 ... h_{T+steps}, (B, T+steps, V, C, H, W).
        """
        hidden = frames.new_zeros(len(frames), len(self.flow), self.hidden, *frames.shape[-2:])
        states, predictions = [], []
        for frame in frames.unbind(1):
            hidden = self.step(hidden, frame)
            states.append(hidden)
        frame = frames[:, -1]  # the last seen frame is given twice (released code)
        for _ in range(steps):
            hidden = self.step(hidden, frame.detach())
            states.append(hidden)
            frame = hidden.max(1).values
            for weight in self.decoder[:-1]:
                frame = torch.relu(self.decoding(frame, weight))
            frame = self.decoding(frame, self.decoder[-1])
            predictions.append(frame)
        output = torch.stack(predictions, 1) if predictions else frames[:, :0]
        return (output, torch.stack(states, 1)) if return_states else output


def render_one(pool: Tensor, recipes: Recipes, index: int, frames: int, side: int) -> Tensor:
    """One sequence (T, 1, side, side), as the `__getitem__` of a data set renders it."""
    sequence = torch.zeros(frames, 1, side, side)
    for d in range(recipes.digit.shape[1]):
        digit = pool[recipes.digit[index, d]].float() / 255
        height, width = digit.shape
        top, left = (side - height) // 2, (side - width) // 2
        image = F.pad(digit, (left, side - width - left, top, side - height - top))
        x, y = recipes.start[index, d].tolist()
        vx, vy = recipes.velocity[index, d].tolist()
        for t in range(frames):
            sequence[t, 0] += torch.roll(image, (y + t * vy, x + t * vx), (0, 1))
    return sequence.clamp(max=1)


def render(pool: Tensor, recipes: Recipes, frames: int, side: int) -> Tensor:
    """All sequences (N, T, 1, side, side), one after the other."""
    return torch.stack([render_one(pool, recipes, index, frames, side) for index in range(len(recipes))])
