"""The flow equivariant recurrent cell for rotations (paper, Section 4; released `RotationFlowRNNCell`).

    h_{t+1}(nu) = relu( W * psi_1(nu).h_t(nu) + U * f_t ),    h_0 = 0

with W and U steerable convolutions of C_N, and psi turning the maps and rolling their orientations. In the lab frame
this is computed as it stands: a map is interpolated once in every frame. In the co-moving frame, with
g_{t+1}(nu) = psi_{-t}(nu).h_{t+1}(nu),

    g_{t+1}(nu) = relu( W * g_t(nu) + U * psi_{-t}(nu).f_t )

only the image is turned, and the maps are turned once where max over V is read. The two agree exactly for quarter
turns; for others W and U commute with the turn only about, so they are two networks with the same weights.

With `mixing` = m, W reads the maps of nu + d for all |d| <= m steps of V (`fernn.models.reference`). All move by
psi_1(nu) in the lab frame, and each by psi_{t-1}(d) in the co-moving one.
"""

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from fernn.errors import FernnError
from fernn.flows.rotation import Rotation, rotate
from fernn.models.checks import check_kernel, check_numbers, check_sizes, check_state, is_plain
from fernn.models.precision import compute_dtype
from fernn.models.rotation.convolution import CONVOLUTIONS, DenseKernel, Kernel, Lifting, Regular, field_first

FRAMES = ("lab", "co-moving")


@dataclass(frozen=True)
class RotationState:
    """The hidden state h_t after t frames.

    Attributes:
        maps: for each generator its map (B, N*F, H, W), orientations before fields: h_t in the lab frame, g_t in the
            co-moving one; at t = 1 they are the same for all generators.
        time: t, the number of frames seen.
        flow: the generators.
        order: N of the group.
        frame: "lab" or "co-moving".
        expanded: U and W as filters, expanded once for all frames of a sequence; None after `detach`. A module with
            hooks or a `forward` of its own is not expanded here, but called at each step.
    """

    maps: tuple[Tensor, ...]
    time: int
    flow: Rotation
    order: int
    frame: str
    expanded: tuple[DenseKernel | nn.Module, Kernel | nn.Module] | None

    def detach(self) -> "RotationState":
        """The same maps without their history; the next step takes the cell's weights as they are then."""
        return replace(self, maps=tuple(each.detach() for each in self.maps), expanded=None)

    def lab(self) -> Tensor:
        """h_t of the paper: (B, V, F*N, H, W), generators as in `flow.generators`, channels as in escnn."""
        maps = torch.stack([field_first(each, self.order, 1) for each in self.maps], 1)
        return maps if self.frame == "lab" else self.flow.move(maps, self.time - 1, self.order)

    def max(self) -> Tensor:
        """Max over V of h_t: (B, F*N, H, W), channels as in escnn, stored with the channels last."""
        maps = self.maps
        if self.frame == "co-moving":
            turns = self.flow.turns(self.order)
            maps = tuple(self._returned(*each) for each in zip(maps, self.flow.generators, turns, strict=True))
        return field_first(max_over(maps), self.order, 1).contiguous(memory_format=torch.channels_last)

    def _returned(self, maps: Tensor, degrees: float, turn: int) -> Tensor:
        time, fields = self.time - 1, maps.shape[1] // self.order
        return rotate(maps, time * degrees).roll(time * turn * fields, 1)


class RotationCell(nn.Module):
    """One step of a FERNN for rotations.

    Args:
        flow: the generators V, or the name of some in turns of 10 degrees, such as "V4R"; "V0R" makes the cell a G-RNN.
        channels: channels of a frame.
        fields: F, regular fields of the hidden map of each generator.
        order: N of the rotation group C_N.
        kernel_size: width of both filters U and W in pixels, odd.
        convolution: "steerable" computes W in its own basis, "dense" with the expanded filter, the same function;
            "auto" takes either, by the channels (see `choose_convolution`).
        frame: "lab" (released code) or "co-moving"; see above.
        mixing: m, how far W couples generators; the sum ends at the boundary of V. A step takes about 2m+1 times as
            long.

    Raises:
        FernnError: for what is no flow of rotations, an even kernel, no channels, fields or group, an unknown
            convolution or frame, a negative `mixing`, or turns that are not in the group.
    """

    def __init__(
        self,
        flow: Rotation | str,
        channels: int = 1,
        fields: int = 32,
        order: int = 36,
        kernel_size: int = 3,
        convolution: str = "steerable",
        frame: str = "lab",
        mixing: int = 0,
    ) -> None:
        super().__init__()
        check_sizes("RotationCell", 0, mixing=mixing)
        check_sizes("RotationCell", channels=channels, fields=fields, order=order, kernel_size=kernel_size)
        check_kernel("RotationCell", kernel_size)
        for name, value, known in (("convolution", convolution, CONVOLUTIONS), ("frame", frame, FRAMES)):
            if value not in known:
                raise FernnError(f"RotationCell({name}={value!r}): expected one of {', '.join(known)}.")
        self.flow, self.order, self.frame, self.mixing = Rotation.of(flow), order, frame, mixing
        self.channels = channels, fields * order
        replace(self.flow, k=max(self.flow.k, mixing)).turns(order)  # refuses turns that are not in the group
        self.U = Lifting(channels, fields, order, kernel_size)
        self.W = Regular(fields, order, kernel_size, convolution, (2 * mixing + 1) * fields)

    def forward(self, frame: Tensor, state: RotationState | None = None) -> RotationState:
        """Take in one frame.

        Args:
            frame: f_t, (B, channels, H, W), square, B at least 1; cast to the precision of the weights.
            state: h_t as this cell returned it, or None for h_0 = 0. The state carries the filters as expanded at the
                first frame, even if the cell's weights change; see `RotationState.detach`. If they were expanded
                without gradients, as in a burn-in under `torch.no_grad`, they are expanded again once these are needed.

        Returns:
            h_{t+1}.

        Raises:
            FernnError: if the frame has another number of channels, is not square or not of floating point; if the
                flow, frame or sizes of the state are not those of this cell and frame.
        """
        self._check(frame, state)
        # inside of autocast, it is autocast's to choose; but it leaves float64 as it is
        weights = next(self.parameters())
        if compute_dtype(weights) == weights.dtype or frame.dtype == torch.float64:
            frame = frame.to(weights.dtype)
        U, W = self._expanded(state)
        time = 0 if state is None else state.time
        drives = self._drives(frame, U, time)
        if state is None:  # no hidden convolution, and the same map for all generators
            maps = (torch.relu(drives[0]),) * len(drives)
        else:
            own = zip(self._coupled(state), drives, self.flow.generators, self.flow.turns(self.order), strict=True)
            maps = tuple(self._advance(W, *each) for each in own)
        return RotationState(maps, time + 1, self.flow, self.order, self.frame, (U, W))

    def extra_repr(self) -> str:
        """The flow and the frame."""
        return f"{self.flow.name}, degrees={self.flow.degrees:g}, frame={self.frame!r}"

    def _expanded(self, state: RotationState | None) -> tuple[DenseKernel | nn.Module, Kernel | nn.Module]:
        """The filters of the state, or new ones if there are none, or if gradients would not reach the weights."""
        if state is not None and state.expanded is not None:
            cut = any(
                not isinstance(kernel, nn.Module) and own.weights.requires_grad and not kernel.weights.requires_grad
                for own, kernel in zip((self.U, self.W), state.expanded, strict=True)
            )
            if not (cut and torch.is_grad_enabled()):
                return state.expanded
        U = self.U.kernel() if is_plain(self.U, Lifting) else self.U
        W = self.W.kernel() if is_plain(self.W, Regular) else self.W
        return U, W

    def _drives(self, frame: Tensor, U: DenseKernel | nn.Module, time: int) -> tuple[Tensor, ...]:
        """The frame's part of the step for each generator, (B, N*F, H, W)."""
        frame = frame.contiguous(memory_format=torch.channels_last)
        if self.frame == "lab" or time == 0:
            return (U(frame),) * len(self.flow)
        turned = (rotate(frame, -time * degrees) for degrees in self.flow.generators)
        return tuple(U(each) for each in turned)

    def _coupled(self, state: RotationState) -> tuple[Tensor, ...]:
        """What W reads for each generator: its map, or the maps of all nu + d as fields, (B, N*(2m+1)*F, H, W)."""
        if self.mixing == 0:
            return state.maps
        near, still = replace(self.flow, k=self.mixing), torch.zeros_like(state.maps[0])
        time = state.time - 1 if self.frame == "co-moving" else 0
        moves = [
            (time * degrees, time * turn * self.channels[1] // self.order)
            for degrees, turn in zip(near.generators, near.turns(self.order), strict=True)
        ]

        def moved(index: int, degrees: float, roll: int) -> Tensor:
            maps = rotate(state.maps[index], degrees).roll(roll, 1) if index >= 0 else still
            return maps.unflatten(1, (self.order, -1))

        return tuple(
            torch.cat([moved(index, *move) for index, move in zip(row, moves, strict=True)], 2).flatten(1, 2)
            for row in self.flow.neighbours(self.mixing).tolist()
        )

    def _advance(self, W: Kernel | nn.Module, maps: Tensor, drive: Tensor, degrees: float, turn: int) -> Tensor:
        """One step of one generator: its map, the frame's part, its degrees and its turn to its next map."""
        if self.frame == "co-moving":
            return torch.relu(W(maps, 0) + drive)
        return torch.relu(W(maps, turn, lambda maps: rotate(maps, degrees)) + drive)

    def _check(self, frame: Tensor, state: RotationState | None) -> None:
        channels, hidden = self.channels
        if frame.ndim != 4 or frame.shape[0] < 1 or frame.shape[1] != channels or frame.shape[2] != frame.shape[3]:
            raise FernnError(
                f"RotationCell got a frame of shape {tuple(frame.shape)}: "
                f"expected (batch >= 1, {channels}, side, side)."
            )
        check_numbers("RotationCell", frame)
        if state is None:
            return
        if (state.flow, state.frame) != (self.flow, self.frame):
            raise FernnError(
                f"RotationCell of {self.flow!r} in the {self.frame} frame got a state of {state.flow!r} in the "
                f"{state.frame} frame: a state belongs to the cell that made it."
            )
        if state.order != self.order:
            raise FernnError(f"RotationCell of C_{self.order} got a state of C_{state.order}: they go by one group.")
        check_state("RotationCell", state.maps[0].shape, frame, hidden)


def max_over(maps: tuple[Tensor, ...]) -> Tensor:
    """The largest of some maps at each place; where several are, the gradient goes to the first."""
    best: Tensor
    best, _ = _Max.apply(*maps)
    return best


class _Max(torch.autograd.Function):
    """Keeps the number of the winner, mostly a byte, in place of the maps stacked up."""

    generate_vmap_rule = True

    @staticmethod
    def forward(*maps: Tensor) -> tuple[Tensor, Tensor]:
        best, winner = maps[0], torch.zeros_like(maps[0], dtype=torch.uint8 if len(maps) <= 2**8 else torch.int16)
        for number, each in enumerate(maps[1:], 1):
            winner.masked_fill_(each > best, number)
            best = torch.maximum(best, each)
        return best if len(maps) > 1 else best.clone(), winner

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, ...], output: tuple[Tensor, Tensor]) -> None:
        _, winner = output
        ctx.mark_non_differentiable(winner)
        ctx.save_for_backward(winner)
        ctx.number = len(inputs)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor, _: Tensor) -> tuple[Tensor, ...]:
        (winner,) = ctx.saved_tensors
        return tuple(gradient * (winner == number) for number in range(ctx.number))
