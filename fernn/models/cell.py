"""The flow equivariant recurrent cell, computed in the frame that moves with each generator.

In the lab frame (paper, Section 4; released code):

    h_{t+1}(nu) = act( W * psi_1(nu).h_t(nu) + U * f_t ),    h_0 = 0

A whole-pixel shift commutes with a circular convolution, so with g_t(nu) = psi_{-t}(nu).h_t(nu) the same network is

    g_{t+1}(nu) = act( W * g_t(nu) + U * psi_{-(t+1)}(nu).f_t )

The hidden maps are never moved; only the frame's part of the step is, and the maps are moved back where max over V is
read. This is exact.

With `mixing` = m (`fernn.models.reference`), a kernel W_d for each d with |d| <= m along each axis couples generators:

    h_{t+1}(nu) = act( psi_1(nu).(sum over d of W_d * h_t(nu + d)) + U * f_t )

Between co-moving frames each coupling would be a shift by t * d; in the lab frame one shift for each generator, after
the sum, does all. So the state is kept in the lab frame then. One convolution gives the W_d * h_t(nu') for all d; those
with nu' - d outside of V are dropped.
"""

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fernn.errors import FernnError
from fernn.flows.base import kept
from fernn.flows.translation import Translation
from fernn.models.checks import check_kernel, check_numbers, check_sizes, check_state, is_plain
from fernn.models.ops import (
    ACTIVATIONS,
    Kernel,
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
        mixing: m; if it is not 0, `maps` are h_t in place of g_t.
    """

    maps: Tensor
    time: int
    flow: Translation
    border: int
    W: Kernel | None
    shared: bool = False
    mixing: int = 0

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

    @property
    def lag(self) -> int:
        """The frames by which the maps are behind the lab frame: psi_lag(nu) moves them there."""
        return 0 if self.shared or self.mixing else self.time

    def co_moving(self) -> Tensor:
        """g_t without its border: (B, V, C, H, W)."""
        maps = (
            self.maps.unsqueeze(1)
            if self.shared
            else interior(self.maps, self.border).unflatten(0, (-1, len(self.flow)))
        )
        return maps if self.lag else self.flow.move(maps, -self.time)

    def lab(self) -> Tensor:
        """h_t of the paper, in the frame of the input: (B, V, C, H, W), generators as in `flow.generators`."""
        if self.shared:
            return self.maps.unsqueeze(1).expand(-1, len(self.flow), -1, -1, -1)
        maps = interior(self.maps, self.border).unflatten(0, (-1, len(self.flow)))
        return self.flow.move(maps, self.lag) if self.lag else maps

    def max(self) -> Tensor:
        """Max over V of h_t, in the frame of the input: (B, C, H, W)."""
        return self.maps if self.shared else max_over_flow(self.maps, self.flow, self.lag, self.border)


class FERNNCell(nn.Module):
    """One step of a FERNN (paper, Section 4, flow convolution with trivial lift; released code, `FERNN_Cell`).

    Args:
        flow: the generators V, or their name, such as "V2T"; "V0T" makes the cell a plain convolutional G-RNN.
        input_channels: channels of a frame.
        hidden_channels: channels of the hidden map of each generator.
        kernel_size: width of both kernels U and W in pixels, odd.
        activation: "relu" (flowing MNIST) or "tanh" (KTH).
        mixing: m, how far W couples generators, in pixels per frame along each axis; 0 in the released code. The sum
            ends at the boundary of V. Equivariance is exact in the interior only: after t frames for all nu with |nu|
            and |nu - nu_hat| of at most k - (t - 1) m. Over all nu the error is 0.13 to 0.29 of the states (random
            weights, V_2^T and V_3^T, m = 1 and 2, from the second frame on), and where |nu| <= k - m up to 0.11. W has
            (2m+1)^2 kernels; ten frames of V_2^T with 16 channels take 6.6 times as long for m = 1, 17 times for m = 2.

    The fused step has no batching rule: `torch.func` transforms (vmap, grad) take a `ReferenceCell` or a rotation cell.

    Raises:
        FernnError: for what is no flow of translations, an even kernel, no channels, a negative `mixing`, or an
            unknown activation.
    """

    def __init__(
        self,
        flow: Translation | str,
        input_channels: int = 1,
        hidden_channels: int = 128,
        kernel_size: int = 3,
        activation: str = "relu",
        mixing: int = 0,
    ) -> None:
        super().__init__()
        check_sizes("FERNNCell", 0, mixing=mixing)
        check_sizes(
            "FERNNCell", input_channels=input_channels, hidden_channels=hidden_channels, kernel_size=kernel_size
        )
        check_kernel("FERNNCell", kernel_size)
        if activation not in ACTIVATIONS:
            raise FernnError(f"FERNNCell(activation={activation!r}): expected one of {', '.join(ACTIVATIONS)}.")
        self.flow = Translation.of(flow)
        self.activation = activation
        self.mixing = mixing
        self.channels = input_channels, hidden_channels
        self.border = kernel_size // 2
        self.U = nn.Conv2d(input_channels, hidden_channels, kernel_size, bias=False)
        couplings = len(replace(self.flow, k=mixing))
        self.W = nn.Conv2d(couplings * hidden_channels, hidden_channels, kernel_size, bias=False)

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
        dtype = compute_dtype(next(self.parameters()))
        bordered = circular_pad(frame.to(dtype), self.border)
        drive = F.conv2d(bordered, self.U.weight.to(dtype)) if is_plain(self.U, nn.Conv2d) else self.U(bordered)
        W = None if state is None else state.W
        if W is None or (torch.is_grad_enabled() and not recorded(W) and self.W.weight.requires_grad):
            W = prepared(self.W, dtype, *frame.shape[-2:])
        return advance(state, drive, W, self.flow, self.activation, self.border, self.mixing)

    def extra_repr(self) -> str:
        """The flow and the activation."""
        return f"{self.flow.name}, activation={self.activation!r}" + (f", mixing={self.mixing}" if self.mixing else "")

    def _check(self, frame: Tensor, state: FlowState | None) -> None:
        channels, hidden = self.channels
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
        if (state.flow, state.border, state.mixing) != (self.flow, self.border, self.mixing):
            own, other = (
                f"{each.flow!r}, kernel {2 * each.border + 1}, mixing {each.mixing}" for each in (self, state)
            )
            raise FernnError(f"FERNNCell of {own}, got a state of {other}: a state belongs to the cell that made it.")
        check_state("FERNNCell", state.size, frame, hidden)


def advance(
    state: FlowState | None,
    drive: Tensor,
    W: Kernel,
    flow: Translation,
    activation: str,
    border: int,
    mixing: int = 0,
) -> FlowState:
    """One step of the recurrence, given the frame's part of it.

    Args:
        state: h_t, or None for h_0 = 0.
        drive: U * f_t in the lab frame, (B, C, H, W).
        W: hidden kernel (C, C, 2p+1, 2p+1), or with mixing (D*C, C, 2p+1, 2p+1), prepared (see `ops.prepared`).
        flow: the generators.
        activation: a key of `ACTIVATIONS`.
        border: p.
        mixing: m, see `FERNNCell`.

    Returns:
        h_{t+1}.
    """
    act, time = ACTIVATIONS[activation], 1 if state is None else state.time + 1
    if state is None:
        maps = act(drive)  # no hidden convolution, and all generators hold the same map
    elif mixing or state.shared or isinstance(W, nn.Module):
        if mixing:
            moved = flow.move(_mixed(state, W), 1) + drive.unsqueeze(1)
        else:
            if state.shared:
                # the maps still are one map up to a shift, so one convolution serves all generators
                hidden = flow.move(convolve(circular_pad(state.maps, border), W).unsqueeze(1), -state.time)
            else:
                hidden = convolve(state.maps, W).unflatten(0, (-1, len(flow)))
            moved = hidden + flow.move(drive.unsqueeze(1), -time)
        maps = circular_pad(act(moved.flatten(0, 1)), border)
    else:
        maps = moving_step(state.maps, drive, W, activation, flow, time)
    maps = maps.contiguous(memory_format=torch.channels_last)
    return FlowState(maps, time, flow, border, W, state is None, mixing)


def _mixed(state: FlowState, W: Kernel) -> Tensor:
    """The sum over d of W_d * h_t(nu + d), (B, V, C, H, W), stored channels last."""
    batch, channels, height, width = state.size
    count = len(state.flow)
    maps = circular_pad(state.maps, state.border) if state.shared else state.maps
    pairs = _couplings(state.flow, state.mixing, maps.device)
    if isinstance(W, nn.Module):  # one call, on the maps of all nu + d as channels
        maps = maps.unflatten(0, (batch, -1)).expand(-1, count, -1, -1, -1)
        near = [torch.zeros_like(maps).index_add(1, own, maps.index_select(1, other)) for own, other in pairs]
        return convolve(torch.cat(near, 2).flatten(0, 1), W).unflatten(0, (batch, count))
    # a convolution for each d, without the products that V drops, is 3 to 15 % faster on a CPU and needs more memory
    each = convolve(maps, W)
    each = each.unflatten(0, (batch, -1)).unflatten(2, (-1, channels)).expand(-1, count, -1, -1, -1, -1)
    total = each.new_zeros(batch, count, height, width, channels).permute(0, 1, 4, 2, 3)
    for part, (own, other) in zip(each.unbind(2), pairs, strict=True):
        total.index_add_(1, own, part.index_select(1, other))
    return total


@kept(64)
def _couplings(flow: Translation, mixing: int, device: torch.device) -> tuple[tuple[Tensor, Tensor], ...]:
    """For each difference d, the indices of all nu with nu + d in V, and of these nu + d."""
    table = torch.from_numpy(flow.neighbours(mixing)).to(device)
    return tuple((own := (column >= 0).nonzero().flatten(), column[own]) for column in table.unbind(1))
