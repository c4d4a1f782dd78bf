"""Action recognition: the recurrent networks of moving KTH."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fernn.errors import FernnError
from fernn.flows.translation import Translation
from fernn.models.cell import advance
from fernn.models.checks import check_clips, check_sizes
from fernn.models.norm import normalize
from fernn.models.ops import circular_pad, convolve, prepared
from fernn.models.precision import compute_dtype
from fernn.models.storage import with_flow


class StepBatchNorm(nn.BatchNorm2d):
    """Batch norm that sees one time step at a time, on all steps at once.

    The released code calls its stem step by step, so that in training each step is normalized by its own mean and
    variance, and the running averages are updated once for each step. This does the same in one call.
    """

    def forward(self, frames: Tensor) -> Tensor:
        """Normalize frames (B, T, C, H, W)."""
        batch, steps, channels, height, width = frames.shape
        if not self.training:
            return super().forward(frames.flatten(0, 1)).view_as(frames)
        # a channel of its own for each step and channel: their statistics are those of the step alone
        flat, mean, variance = normalize(
            frames.reshape(batch, steps * channels, height, width),
            self.weight.repeat(steps),
            self.bias.repeat(steps),
            self.eps,
        )
        self._average(mean.view(steps, channels), variance.view(steps, channels))
        return flat.view_as(frames)

    @torch.no_grad()
    def _average(self, mean: Tensor, variance: Tensor) -> None:
        """The running averages after one update for each step, in order."""
        steps = mean.shape[0]
        momentum = self.momentum
        assert momentum is not None
        age = torch.arange(steps - 1, -1, -1, device=mean.device, dtype=mean.dtype).unsqueeze(1)
        share = momentum * (1 - momentum) ** age
        for running, steps_own in ((self.running_mean, mean), (self.running_var, variance)):
            assert running is not None
            running.mul_((1 - momentum) ** steps).add_((share * steps_own).sum(0))
        assert self.num_batches_tracked is not None
        self.num_batches_tracked += steps


class Stem(nn.Module):
    """Convolutions with zero padding, batch norm and ReLU, frame by frame (paper, Section 5.2; released
    `conv_u_first`).

    Args:
        input_channels: channels of a frame.
        channels: output channels of each layer.
        kernels: kernel width of each layer in pixels, odd.
    """

    def __init__(self, input_channels: int, channels: Sequence[int], kernels: Sequence[int]) -> None:
        super().__init__()
        widths = [input_channels, *channels]
        self.convolutions = nn.ModuleList(
            nn.Conv2d(a, b, kernel, padding=kernel // 2, bias=False)
            for a, b, kernel in zip(widths, channels, kernels, strict=False)
        )
        self.norms = nn.ModuleList(StepBatchNorm(width) for width in channels)

    def forward(self, frames: Tensor) -> Tensor:
        """Frames (B, T, input channels, H, W) to (B, T, channels[-1], H, W)."""
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            features = convolution(frames.flatten(0, 1)).unflatten(0, frames.shape[:2])
            frames = torch.relu(norm(features))
        return frames


class _Recognizer(nn.Module, ABC):
    """The stem, the hidden kernel W, and the linear layer over the average map."""

    def __init__(
        self,
        flow: Translation | str,
        stem_channels: Sequence[int] = (32, 64, 128),
        stem_kernels: Sequence[int] = (5, 3, 3),
        kernel_size: int = 3,
        channels: int = 1,
        classes: int = 6,
    ) -> None:
        super().__init__()
        self.flow = Translation.of(flow)
        check_sizes(type(self).__name__, channels=channels, classes=classes)
        if len(stem_channels) != len(stem_kernels) or not stem_channels:
            raise FernnError(
                f"{type(self).__name__}: {len(stem_channels)} stem_channels and {len(stem_kernels)} stem_kernels; "
                "each layer of the stem has one of both."
            )
        for width, kernel in zip(stem_channels, stem_kernels, strict=True):
            check_sizes(type(self).__name__, stem_channels=width, stem_kernels=kernel)
        check_sizes(type(self).__name__, kernel_size=kernel_size)
        if any(width % 2 == 0 for width in (*stem_kernels, kernel_size)):
            raise FernnError(
                f"{type(self).__name__}(stem_kernels={list(stem_kernels)}, kernel_size={kernel_size}): "
                "kernel widths must be odd, so that each kernel has a middle."
            )
        self.config: dict[str, Any] = {
            "flow": self.flow.name,
            "stem_channels": list(stem_channels),
            "stem_kernels": list(stem_kernels),
            "kernel_size": kernel_size,
            "channels": channels,
            "classes": classes,
        }
        self.border = kernel_size // 2
        hidden = stem_channels[-1]
        self.stem = Stem(channels, stem_channels, stem_kernels)
        self.W = nn.Conv2d(hidden, hidden, kernel_size, bias=False)
        self.head = nn.Linear(hidden, classes)

    def forward(self, clips: Tensor) -> Tensor:
        """Classify clips.

        Args:
            clips: (B, T, channels, H, W), B and T at least 1; taken in the precision of the weights.

        Returns:
            Logits (B, classes).

        Raises:
            FernnError: if the clips have another shape or are not of floating point.
        """
        check_clips(type(self).__name__, "clips", clips, self.config["channels"])
        clips = clips.to(next(self.parameters()).dtype)
        logits: Tensor = self.head(self._last(self.stem(clips)).mean((2, 3)))
        return logits

    @abstractmethod
    def _last(self, drives: Tensor) -> Tensor:
        """The last hidden map, max over V: drives (B, T, C, H, W) to (B, C, H, W)."""


class FERNNClassifier(_Recognizer):
    """Flow equivariant action recognition (paper, Section 5.2; released `FERNN_Classifier`).

    The stem sees each frame, the recurrence moves with each generator, the classifier reads max over V at the last
    frame. With `flow="V0T"` it is the G-RNN.

    Args:
        flow: the generators V, or their name, such as "V2T".
        stem_channels: output channels of each layer of the stem; the last is the number of hidden channels.
        stem_kernels: their kernel widths in pixels, odd.
        kernel_size: width of the hidden kernel in pixels, odd.
        channels: channels of a frame.
        classes: number of actions.

    Raises:
        FernnError: if the stem's layers are given inconsistently, for an even kernel, no channels or classes, or what
            is no flow of translations.

    The weights do not depend on V.
    """

    def with_flow(self, flow: Translation | str) -> Self:
        """The same weights with other generators, a flow or its name (shared, not copied).

        Raises:
            FernnError: if it is no flow of translations.
        """
        return with_flow(self, type(self.flow).of(flow))

    def _last(self, drives: Tensor) -> Tensor:
        dtype = compute_dtype(next(self.parameters()))
        W = prepared(self.W, dtype, *drives.shape[-2:])
        state = None
        for drive in drives.to(dtype).unbind(1):
            # the stem pads with zeros and so does not commute with a shift: its output is what moves, not its input
            state = advance(state, drive, W, self.flow, "tanh", self.border)
        assert state is not None
        return state.max()


class GRNNPlusClassifier(_Recognizer):
    """G-RNN+: the fixed shifts of V replaced by learned kernels, one for each generator (paper, Section 5.2;
    `GRNN_Plus`).

    It has the parameters to learn the shifts, but nothing holds it to them. Takes the arguments of `FERNNClassifier`,
    and raises what it does.
    """

    def __init__(self, flow: Translation | str, *arguments: Any, **named: Any) -> None:
        super().__init__(flow, *arguments, **named)
        width = 2 * self.flow.k + 1
        # as released: Kaiming, fan out, for each kernel by itself
        self.kernels = nn.Parameter(torch.randn(len(self.flow), 1, width, width) / width)

    def _last(self, drives: Tensor) -> Tensor:
        generators = len(self.flow)
        W = prepared(self.W, next(self.parameters()).dtype, *drives.shape[-2:])
        state = None
        for drive in drives.unbind(1):
            if state is None:
                state = torch.tanh(drive).unsqueeze(1).expand(-1, generators, -1, -1, -1)
                continue
            batch, _, channels = state.shape[:3]
            planes = state.transpose(1, 2).flatten(0, 1)  # (B*C, V, H, W): one kernel for each generator
            moved = F.conv2d(circular_pad(planes, self.flow.k), self.kernels, groups=generators)
            moved = moved.unflatten(0, (batch, channels)).transpose(1, 2).flatten(0, 1)
            hidden = convolve(circular_pad(moved, self.border), W)
            state = torch.tanh(drive.unsqueeze(1) + hidden.unflatten(0, (batch, generators)))
        assert state is not None
        return state.max(1).values
