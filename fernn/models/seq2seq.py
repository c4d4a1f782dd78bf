"""Frame prediction: a recurrent cell and a decoder, sequence to sequence."""

from collections.abc import Callable
from typing import Any, Literal, overload

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fernn.models import winograd
from fernn.models.checks import check_clips, check_sizes, is_plain
from fernn.models.ops import circular_pad
from fernn.models.precision import compute_dtype


class CircularConv2d(nn.Conv2d):
    """A convolution on the torus, 3x3 and without a bias: `padding_mode="circular"` that keeps the channels last."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, 3, bias=False)

    def forward(self, maps: Tensor) -> Tensor:
        """Maps (B, inputs, H, W) to (B, outputs, H, W)."""
        return F.conv2d(circular_pad(maps, 1), self.weight)


class Decoder(nn.Sequential):
    """From the maximum over V to a frame: 3x3 convolutions without bias, ReLU between them (released code).

    Args:
        hidden: channels of the hidden maps.
        channels: of a frame.
        layers: number of hidden layers.
        circular: circular padding (translation) instead of zero padding (rotation).

    Raises:
        FernnError: for no channels, or a negative number of layers.
    """

    def __init__(self, hidden: int, channels: int, layers: int, circular: bool) -> None:
        def convolution(outputs: int) -> nn.Conv2d:
            return CircularConv2d(hidden, outputs) if circular else nn.Conv2d(hidden, outputs, 3, padding=1, bias=False)

        check_sizes("Decoder", hidden=hidden, channels=channels)
        check_sizes("Decoder", 0, layers=layers)
        inner = [module for _ in range(layers) for module in (convolution(hidden), nn.ReLU())]
        super().__init__(*inner, convolution(channels))
        self.circular = circular

    def forward(self, maps: Tensor) -> Tensor:
        """Maps (B, hidden, H, W) to frames (B, channels, H, W)."""
        return self.prepared(*maps.shape[-2:])(maps)

    def prepared(self, height: int, width: int) -> Callable[[Tensor], Tensor]:
        """The decoder for maps of this size, with kernels transformed once; valid until the weights change."""
        kind = CircularConv2d if self.circular else nn.Conv2d
        kernels = [
            winograd.transform(layer.weight)
            if isinstance(layer, kind) and is_plain(layer, kind) and winograd.pays(layer.weight, height, width)
            else None
            for layer in self
        ]

        def decode(maps: Tensor) -> Tensor:
            for layer, kernel in zip(self, kernels, strict=True):
                if kernel is None:
                    maps = layer(maps)
                else:
                    bordered = circular_pad(maps, 1) if self.circular else F.pad(maps, (1,) * 4)
                    maps = winograd.convolve(bordered, kernel)
            return maps

        return decode


class Seq2Seq(nn.Module):
    """See some frames, then predict the next ones from the model's own output (paper, Section 5.1; `Seq2SeqFERNN`).

    The decoder reads max over V of h_t, which does not change when a motion of the input relabels the generators.

    Args:
        cell: takes in a frame (B, channels, H, W) and its own last state, and gives the next state, which has `max()`
            and `lab()`.
        decoder: from the maximum over V to a frame.
        config: the arguments with which the subclass can be built again.

    Predictions are detached before they are fed back. The last seen frame is fed twice, detached the second time (both
    as released). So flow equivariance is exact for h_1 ... h_T. From the repeated frame on, which does not move, hidden
    states and predictions move with the input only as far as the network has learned to; and the gradient with respect
    to the last frame lacks its second use.
    """

    def __init__(self, cell: nn.Module, decoder: Decoder, config: dict[str, Any]) -> None:
        super().__init__()
        self.config = config
        self.cell = cell
        self.decoder = decoder

    @overload
    def forward(self, frames: Tensor, steps: int, return_states: Literal[False] = False) -> Tensor: ...
    @overload
    def forward(self, frames: Tensor, steps: int, return_states: Literal[True]) -> tuple[Tensor, Tensor]: ...
    def forward(self, frames: Tensor, steps: int, return_states: bool = False) -> Tensor | tuple[Tensor, Tensor]:
        """Predict the frames that follow.

        Args:
            frames: the seen frames, (B, T, channels, H, W), B and T at least 1; taken in the precision of the weights.
            steps: number of frames to predict, at least 0.
            return_states: also return the hidden states in the lab frame.

        Returns:
            (B, steps, channels, H, W); with `return_states` also h_1 ... h_{T+steps}, (B, T+steps, V, hidden, H, W).

        Raises:
            FernnError: if there is no frame to start from, its shape is another, it is not of floating point, or
                `steps` is negative.
        """
        check_clips(type(self).__name__, "frames", frames)
        check_sizes(type(self).__name__, 0, steps=steps)
        state = None
        states, predictions = [], []
        for frame in frames.unbind(1):
            state = self.cell(frame, state)
            if return_states:
                states.append(state.lab())
        decode = self.decoder.prepared(*frames.shape[-2:]) if is_plain(self.decoder, Decoder) else self.decoder
        frame = frames[:, -1]
        for _ in range(steps):
            state = self.cell(frame.detach(), state)
            frame = decode(state.max())
            predictions.append(frame)
            if return_states:
                states.append(state.lab())
        if predictions:
            output = torch.stack(predictions, 1)
        else:
            dtype = compute_dtype(next(self.parameters()))
            output = frames.new_zeros(frames.shape[0], 0, *frames.shape[2:], dtype=dtype)
        return (output, torch.stack(states, 1)) if return_states else output

    @property
    def flow(self) -> Any:
        """The generators V."""
        return self.cell.flow

    @flow.setter
    def flow(self, flow: Any) -> None:
        self.cell.flow = flow
