"""Synchronized batch norm for distributed data parallel: every rank uses the statistics of the whole batch.

It works on any device and for any number of axes; torch's own `SyncBatchNorm` needs GPUs.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_shared = False


@contextmanager
def share_statistics(shared: bool) -> Iterator[None]:
    """Whether batch norm in training uses the statistics of all ranks of torch's default process group."""
    global _shared
    before, _shared = _shared, shared
    try:
        yield
    finally:
        _shared = before


def normalize(maps: Tensor, weight: Tensor, bias: Tensor, eps: float) -> tuple[Tensor, Tensor, Tensor]:
    """Normalize maps (B, channels, ...) by the statistics of the batch: of this rank, or of all that share it.

    Returns:
        weight * (maps - mean) / sqrt(variance + eps) + bias, and the mean and unbiased variance of each channel,
        (channels,), without gradient.
    """
    if not _shared:
        mean, variance = torch.zeros_like(weight), torch.zeros_like(weight)
        # momentum 1: the buffers receive the statistics themselves
        flat = F.batch_norm(maps, mean, variance, weight, bias, training=True, momentum=1.0, eps=eps)
        return flat, mean, variance
    # imported here: some builds of torch have no distributed package, and one process needs none
    import torch.distributed as dist
    from torch.distributed.nn.functional import all_reduce

    axes = [axis for axis in range(maps.dim()) if axis != 1]
    shape = [1, -1, *(1 for _ in axes[1:])]
    own = torch.full((), maps.numel() / maps.shape[1], dtype=torch.float64, device=maps.device)
    dist.all_reduce(own)
    with torch.autocast(maps.device.type, enabled=False):
        exact = maps.to(torch.promote_types(maps.dtype, torch.float32))
        # two passes: the mean of squares minus the square of the mean would cancel for a small variance
        mean = all_reduce(exact.sum(axes)) / own.to(exact)
        centred = exact - mean.view(shape)
        variance = all_reduce(centred.square().sum(axes)) / own.to(exact)
        scale = (variance + eps).rsqrt() * weight
        result = (centred * scale.view(shape) + bias.view(shape)).to(maps.dtype)
    unbiased = variance.detach() * (own / (own - 1)).to(exact)
    return result, mean.detach(), unbiased


class BatchNorm3d(nn.BatchNorm3d):
    """torch's `BatchNorm3d`, synchronized inside `share_statistics(True)`."""

    def forward(self, input: Tensor) -> Tensor:
        """Normalize maps (B, C, T, H, W)."""
        if not (self.training and _shared):
            return super().forward(input)
        result, mean, variance = normalize(input, self.weight, self.bias, self.eps)
        assert self.running_mean is not None and self.running_var is not None
        assert self.num_batches_tracked is not None and self.momentum is not None
        with torch.no_grad():
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance, self.momentum)
            self.num_batches_tracked += 1
        return result
