"""Frame prediction: the sequence-to-sequence FERNN of flowing MNIST."""

from typing import Any, Literal, overload

import torch
from torch import Tensor, nn

from fernn.errors import FernnError
from fernn.flows.translation import Translation
from fernn.models.cell import FERNNCell


class FERNNPredictor(nn.Module):
    """See some frames, then predict the next ones from the model's own output (paper, Section 4.1; `Seq2SeqFERNN`).

    The decoder reads max over V of h_t, which does not change when a motion of the input relabels the generators.

    Args:
        flow: the generators V, or their name, such as "V2T".
        channels: channels of a frame.
        hidden_channels: channels of the hidden map of each generator.
        kernel_size: width of the cell's kernels in pixels, odd.
        decoder_layers: number of hidden layers (3x3 circular convolution and ReLU) before the last convolution.

    The weights do not depend on V: a model trained with one set of generators can be given another (see `with_flow`).
    """

    def __init__(
        self,
        flow: Translation | str,
        channels: int = 1,
        hidden_channels: int = 128,
        kernel_size: int = 3,
        decoder_layers: int = 4,
    ) -> None:
        super().__init__()
        flow = Translation.parse(flow) if isinstance(flow, str) else flow
        self.config: dict[str, Any] = {
            "flow": flow.name,
            "channels": channels,
            "hidden_channels": hidden_channels,
            "kernel_size": kernel_size,
            "decoder_layers": decoder_layers,
        }
        self.cell = FERNNCell(flow, channels, hidden_channels, kernel_size)
        layers: list[nn.Module] = []
        for _ in range(decoder_layers):
            layers += [_circular(hidden_channels, hidden_channels), nn.ReLU()]
        self.decoder = nn.Sequential(*layers, _circular(hidden_channels, channels))

    @overload
    def forward(self, frames: Tensor, steps: int, return_states: Literal[False] = False) -> Tensor: ...
    @overload
    def forward(self, frames: Tensor, steps: int, return_states: Literal[True]) -> tuple[Tensor, Tensor]: ...
    def forward(self, frames: Tensor, steps: int, return_states: bool = False) -> Tensor | tuple[Tensor, Tensor]:
        """Predict the frames that follow.

        Args:
            frames: the seen frames, (B, T, channels, H, W), T at least 1.
            steps: number of frames to predict.
            return_states: also return the hidden states in the lab frame.

        Returns:
            (B, steps, channels, H, W); with `return_states` also h_1 ... h_{T+steps}, (B, T+steps, V, hidden, H, W).
            What is fed back is detached: a prediction's error does not reach back through the frames before it
            (released code).

        Raises:
            FernnError: if there is no frame to start from, or its shape is another.
        """
        if frames.ndim != 5 or frames.shape[1] < 1:
            raise FernnError(
                f"{type(self).__name__} got frames of shape {tuple(frames.shape)}: "
                "expected (batch, time >= 1, channels, height, width)."
            )
        state = None
        states, predictions = [], []
        for frame in frames.unbind(1):
            state = self.cell(frame, state)
            if return_states:
                states.append(state.lab())
        frame = frames[:, -1]
        for _ in range(steps):
            state = self.cell(frame.detach(), state)
            frame = self.decoder(state.max())
            predictions.append(frame)
            if return_states:
                states.append(state.lab())
        output = torch.stack(predictions, 1) if predictions else frames.new_zeros(frames.shape[0], 0, *frames.shape[2:])
        return (output, torch.stack(states, 1)) if return_states else output

    def with_flow(self, flow: Translation | str) -> "FERNNPredictor":
        """The same weights with other generators (shared, not copied)."""
        other = FERNNPredictor(**{**self.config, "flow": flow})
        for name, parameter in self.named_parameters():
            owner, _, leaf = name.rpartition(".")
            setattr(other.get_submodule(owner), leaf, parameter)
        return other


class GRNNPredictor(FERNNPredictor):
    """The G-RNN baseline: equivariant to static shifts only, V = {0} (paper, Section 4.1).

    Takes the arguments of `FERNNPredictor` without `flow`.
    """

    def __init__(
        self, channels: int = 1, hidden_channels: int = 128, kernel_size: int = 3, decoder_layers: int = 4
    ) -> None:
        super().__init__(Translation(0), channels, hidden_channels, kernel_size, decoder_layers)


def _circular(inputs: int, outputs: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, padding=1, padding_mode="circular", bias=False)
