"""Frame prediction: a recurrent cell and a decoder, sequence to sequence."""

from typing import Any, Literal, Self, overload

import torch
from torch import Tensor, nn

from fernn.errors import FernnError
from fernn.models.decoder import Decoder


class Seq2Seq(nn.Module):
    """See some frames, then predict the next ones from the model's own output (paper, Section 5.1; `Seq2SeqFERNN`).

    The decoder reads max over V of h_t, which does not change when a motion of the input relabels the generators.

    Args:
        cell: takes in a frame (B, channels, H, W) and its own last state, and gives the next state, which has `max()`
            and `lab()`.
        decoder: from the maximum over V to a frame.
        config: the arguments with which the subclass can be built again.
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
            frames: the seen frames, (B, T, channels, H, W), T at least 1.
            steps: number of frames to predict.
            return_states: also return the hidden states in the lab frame.

        Returns:
            (B, steps, channels, H, W); with `return_states` also h_1 ... h_{T+steps}, (B, T+steps, V, hidden, H, W).
            What is fed back is detached: a prediction's error does not reach back through the frames before it
            (released code).

        Raises:
            FernnError: if there is no frame to start from, its shape is another, or it is not of floating point.
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
        decode = self.decoder.prepared(*frames.shape[-2:])
        frame = frames[:, -1]
        for _ in range(steps):
            state = self.cell(frame.detach(), state)
            frame = decode(state.max())
            predictions.append(frame)
            if return_states:
                states.append(state.lab())
        output = torch.stack(predictions, 1) if predictions else frames.new_zeros(frames.shape[0], 0, *frames.shape[2:])
        return (output, torch.stack(states, 1)) if return_states else output

    def with_flow(self, flow: Any) -> Self:
        """The same weights with other generators, a flow or its name (shared, not copied)."""
        return self._sharing(type(self)(**{**self.config, "flow": flow}))

    def _sharing(self, other: Self) -> Self:
        for name, parameter in self.named_parameters():
            owner, _, leaf = name.rpartition(".")
            setattr(other.get_submodule(owner), leaf, parameter)
        return other
