"""The flow equivariant recurrent cell, computed in the frame that moves with each generator.

In the lab frame (paper, Section 4; released code):

    h_{t+1}(nu) = act( W * psi_1(nu).h_t(nu) + U * f_t ),    h_0 = 0

A whole-pixel shift commutes with a circular convolution, so with g_t(nu) = psi_{-t}(nu).h_t(nu) the same network is

    g_{t+1}(nu) = act( W * g_t(nu) + U * psi_{-(t+1)}(nu).f_t )

The hidden maps are never moved; only the frame's part of the step is, and the maps are moved back where max over V is
read. This is exact.
"""

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fernn.errors import FernnError
from fernn.flows.translation import Translation
from fernn.models.checks import check_kernel, check_numbers, check_sizes, check_state
from fernn.models.ops import (
    ACTIVATIONS,
    Kernel,
    border_of,
    circular_pad,
    convolve,
    interior,
    max_over_flow,
    moving_step,
    prepared,
    recorded,
)
from fernn.models.precision import compute_dtype


@dataclass(frozen=True)
class FlowState:
    """The hidden state h_t of a flow equivariant cell after t frames.

    Attributes:
        maps: while `shared`, the one map (B, C, H, W) that all generators hold in the lab frame (after the first
            frame); afterwards g_t with its circular border, (B*V, C, H+2p, W+2p) stored channels last, p half the
            hidden kernel.
        time: t, the number of frames seen.
        flow: the generators.
        border: p in pixels.
        W: the hidden kernel as the next steps take it (see `advance`); None after `detach`.
        shared: see `maps`.
    """

    maps: Tensor
    time: int
    flow: Translation
    border: int
    W: Kernel | None
    shared: bool = False

    @property
    def size(self) -> tuple[int, ...]:
        """Shape (B, C, H, W) of the map of one generator."""
        count, channels, height, width = self.maps.shape
        if self.shared:
            return count, channels, height, width
        return count // len(self.flow), channels, height - 2 * self.border, width - 2 * self.border

    def detach(self) -> "FlowState":
        """The same maps without gradient history, for truncated backpropagation through time.

        The next step uses the cell's current weights, which an optimizer may have changed.
        """
        return replace(self, maps=self.maps.detach(), W=None)

    def co_moving(self) -> Tensor:
        """g_t without its border: (B, V, C, H, W)."""
        if self.shared:
            return self.flow.move(self.maps.unsqueeze(1), -self.time)
        return interior(self.maps, self.border).unflatten(0, (-1, len(self.flow)))

    def lab(self) -> Tensor:
        """h_t of the paper, in the frame of the input: (B, V, C, H, W), generators as in `flow.generators`."""
        if self.shared:
            return self.maps.unsqueeze(1).expand(-1, len(self.flow), -1, -1, -1)
        return self.flow.move(self.co_moving(), self.time)

    def max(self) -> Tensor:
        """Max over V of h_t, in the frame of the input: (B, C, H, W)."""
        return self.maps if self.shared else max_over_flow(self.maps, self.flow, self.time, self.border)


class FERNNCell(nn.Module):
    """One step of a FERNN (paper, Section 4, flow convolution with trivial lift; released code, `FERNN_Cell`).

    Args:
        flow: the generators V, or their name, such as "V2T"; "V0T" makes the cell a plain convolutional G-RNN.
        input_channels: channels of a frame.
        hidden_channels: channels of the hidden map of each generator.
        kernel_size: width of both kernels U and W in pixels, odd.
        activation: "relu" (flowing MNIST) or "tanh" (KTH).

    Raises:
        FernnError: for what is no flow of translations, an even kernel, no channels, or an unknown activation.
    """

    def __init__(
        self,
        flow: Translation | str,
        input_channels: int = 1,
        hidden_channels: int = 128,
        kernel_size: int = 3,
        activation: str = "relu",
    ) -> None:
        super().__init__()
        check_sizes(
            "FERNNCell", input_channels=input_channels, hidden_channels=hidden_channels, kernel_size=kernel_size
        )
        check_kernel("FERNNCell", kernel_size)
        if activation not in ACTIVATIONS:
            raise FernnError(f"FERNNCell(activation={activation!r}): expected one of {', '.join(ACTIVATIONS)}.")
        self.flow = Translation.of(flow)
        self.activation = activation
        self.border = kernel_size // 2
        self.U = nn.Conv2d(input_channels, hidden_channels, kernel_size, bias=False)
        self.W = nn.Conv2d(hidden_channels, hidden_channels, kernel_size, bias=False)

    def forward(self, frame: Tensor, state: FlowState | None = None) -> FlowState:
        """Take in one frame.

        Args:
            frame: f_t, (B, input channels, H, W), B at least 1; cast to the precision of the weights.
            state: h_t as this cell returned it, or None for h_0 = 0. The state carries W as prepared at the first
                frame, even if the cell's weights change; see `FlowState.detach`. If it was prepared without gradients,
                as in a burn-in under `torch.no_grad`, W is prepared again once gradients are needed.

        Returns:
            h_{t+1}.

        Raises:
            FernnError: if the frame has another number of channels, is smaller than the kernel's border or is not of
                floating point; if the flow or sizes of the state are not those of this cell and frame.
        """
        self._check(frame, state)
        dtype = compute_dtype(self.U.weight)
        drive = F.conv2d(circular_pad(frame.to(dtype), self.border), self.U.weight.to(dtype))
        W = None if state is None else state.W
        wanted = torch.is_grad_enabled() and self.W.weight.requires_grad
        if W is None or (wanted and not recorded(W)):
            W = prepared(self.W.weight.to(dtype), *frame.shape[-2:])
        return advance(state, drive, W, self.flow, self.activation)

    def extra_repr(self) -> str:
        """The flow and the activation."""
        return f"{self.flow.name}, activation={self.activation!r}"

    def _check(self, frame: Tensor, state: FlowState | None) -> None:
        channels = self.U.in_channels
        if frame.ndim != 4 or frame.shape[0] < 1 or frame.shape[1] != channels:
            raise FernnError(
                f"FERNNCell got a frame of shape {tuple(frame.shape)}: "
                f"expected (batch >= 1, {channels}, height, width)."
            )
        if min(frame.shape[-2:]) < max(self.border, 1):
            raise FernnError(
                f"FERNNCell got a frame of {frame.shape[-2]}x{frame.shape[-1]} pixels, "
                f"smaller than the border of its kernel, {self.border}."
            )
        check_numbers("FERNNCell", frame)
        if state is None:
            return
        if (state.flow, state.border) != (self.flow, self.border):
            raise FernnError(
                f"FERNNCell of {self.flow!r}, kernel {2 * self.border + 1}, got a state of {state.flow!r}, kernel "
                f"{2 * state.border + 1}: a state belongs to the cell that made it."
            )
        check_state("FERNNCell", state.size, frame, self.W.out_channels)


def advance(state: FlowState | None, drive: Tensor, W: Kernel, flow: Translation, activation: str) -> FlowState:
    """One step of the recurrence, given the frame's part of it.

    Args:
        state: h_t, or None for h_0 = 0.
        drive: U * f_t in the lab frame, (B, C, H, W).
        W: hidden kernel (C, C, 2p+1, 2p+1), prepared (see `ops.prepared`).
        flow: the generators.
        activation: a key of `ACTIVATIONS`.

    Returns:
        h_{t+1}.
    """
    act, p = ACTIVATIONS[activation], border_of(W)
    if state is None:
        # no hidden convolution, and all generators hold the same map
        maps, time = act(drive), 1
    else:
        time = state.time + 1
        if state.shared:
            # the maps still are one map up to a shift, so one convolution serves all generators
            once = convolve(circular_pad(state.maps, p), W).unsqueeze(1)
            moved = flow.move(once, -state.time) + flow.move(drive.unsqueeze(1), -time)
            maps = circular_pad(act(moved.flatten(0, 1)), p)
        else:
            maps = moving_step(state.maps, drive, W, activation, flow, time)
    return FlowState(maps.contiguous(memory_format=torch.channels_last), time, flow, p, W, shared=state is None)
