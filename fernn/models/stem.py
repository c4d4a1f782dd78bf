"""The input stem of the KTH networks, on all frames at once, with batch statistics of one time step at a time."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from fernn.models.norm import normalize


class StepBatchNorm(nn.BatchNorm2d):
    """Batch norm that sees one time step at a time, on all steps at once.

    The released code calls its stem step by step, so that in training each step is normalized by its own mean and
    variance, and the running averages are updated once for each step. This does the same in one call.
    """

    def __init__(self, channels: int, eps: float = 1e-5, momentum: float = 0.1) -> None:
        super().__init__(channels, eps, momentum)

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
