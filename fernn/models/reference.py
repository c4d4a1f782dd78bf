"""The paper's recurrence as it stands, in the lab frame, for any flow (Section 4).

A hidden state lives on V x G: it has a map of C channels over the pixels for each generator nu. The flow convolution
couples both,

    [h * W](nu, g) = sum over nu' in V and g' in G of h(nu', g') W(nu' - nu, g^-1 g')

and with a lift U * f_t that is the same for all generators (trivial lift) the recurrence is

    h_{t+1}(nu) = act( [psi_1(nu).h_t * W](nu) + U * f_t ),    h_0 = 0

W has a kernel for each difference d = nu' - nu with |d| <= m along each axis of V, m being `mixing`; the released code
has m = 0. V ends: nu + d outside of V counts as a map of zeros. All maps that nu reads move by psi_1(nu), before the
convolution as in the released code, which is the same wherever the two commute.

`FERNNCell` and `RotationCell` are fast forms of this cell, and tests compare them with it.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from fernn.errors import FernnError
from fernn.flows.base import Flow
from fernn.models.checks import check_kernel, check_sizes
from fernn.models.ops import ACTIVATIONS


@dataclass(frozen=True)
class ReferenceState:
    """The hidden state h_t after t frames.

    Attributes:
        maps: h_t, (B, V, C, H, W), generators as in `flow.generators`.
        time: t.
    """

    maps: Tensor
    time: int

    def lab(self) -> Tensor:
        """h_t in the frame of the input: (B, V, C, H, W)."""
        return self.maps

    def max(self) -> Tensor:
        """Max over V of h_t: (B, C, H, W)."""
        return self.maps.max(1).values

    def detach(self) -> "ReferenceState":
        """The same maps without their history."""
        return replace(self, maps=self.maps.detach())


class ReferenceCell(nn.Module):
    """One step of a FERNN over any flow.

    Args:
        flow: the generators V and how they move maps.
        input_channels: channels of a frame.
        hidden_channels: channels C of the hidden map of each generator.
        kernel_size: width of both kernels U and W in pixels, odd.
        activation: "relu" or "tanh".
        mixing: m, how far W couples generators, in steps of V along each axis.

    U and W are convolutions on the torus or with zeros outside, as the flow has it. Others, such as steerable ones,
    may take their place, from (B, (2m+1)^axes * C, H, W) to (B, C, H, W); channels are then those of regular
    representations of C_N with N = `order`.

    Raises:
        FernnError: for an even kernel, no channels, a negative `mixing` or an unknown activation.
    """

    order = 1

    def __init__(
        self,
        flow: Flow,
        input_channels: int = 1,
        hidden_channels: int = 128,
        kernel_size: int = 3,
        activation: str = "relu",
        mixing: int = 0,
    ) -> None:
        super().__init__()
        sizes = {"input_channels": input_channels, "hidden_channels": hidden_channels, "kernel_size": kernel_size}
        check_sizes("ReferenceCell", **sizes)
        check_sizes("ReferenceCell", 0, mixing=mixing)
        check_kernel("ReferenceCell", kernel_size)
        if activation not in ACTIVATIONS:
            raise FernnError(f"ReferenceCell(activation={activation!r}): expected one of {', '.join(ACTIVATIONS)}.")
        self.flow, self.activation, self.mixing = flow, activation, mixing
        couplings = flow.neighbours(mixing).shape[1]
        self.U, self.W = (
            nn.Conv2d(
                channels, hidden_channels, kernel_size, padding=kernel_size // 2, padding_mode=flow.padding, bias=False
            )
            for channels in (input_channels, couplings * hidden_channels)
        )

    def forward(self, frame: Tensor, state: ReferenceState | None = None) -> ReferenceState:
        """Take in one frame.

        Args:
            frame: f_t, (B, input channels, H, W).
            state: h_t as this cell returned it, or None for h_0 = 0.

        Returns:
            h_{t+1}.
        """
        drive = self.U(frame).unsqueeze(1)
        if state is None:
            state = ReferenceState(torch.zeros_like(drive).expand(-1, len(self.flow), -1, -1, -1), 0)
        moved = self.flow.move(coupled(state.maps, self.flow, self.mixing), 1, self.order)
        recurrent = self.W(moved.flatten(0, 1)).unflatten(0, moved.shape[:2])
        return ReferenceState(ACTIVATIONS[self.activation](recurrent + drive), state.time + 1)


def coupled(maps: Tensor, flow: Flow, mixing: int) -> Tensor:
    """The maps h(nu + d), |d| <= m, that [h * W](nu) reads, as channels: (B, V, C, H, W) to (B, V, D*C, H, W)."""
    outside = torch.zeros_like(maps[:, :1])  # the last of all maps, at the index -1
    return torch.cat([maps, outside], 1)[:, flow.neighbours(mixing)].flatten(2, 3)
