"""The least time that a training step can take with direct convolutions, at the best rate that the machine reaches."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.timing import alternate
from fernn.models import winograd

DTYPES = {"float32": torch.float32, "bf16": torch.bfloat16}


@dataclass(frozen=True)
class Operations:
    """Additions and multiplications in the convolutions of one step."""

    forward: int
    backward: int


@dataclass(frozen=True)
class Rate:
    """Operations per second of convolutions."""

    forward: float
    backward: float

    def floor(self, operations: Operations) -> float:
        """Seconds that the operations take at these rates."""
        return operations.forward / self.forward + operations.backward / self.backward


def count(loss: Callable[[], Tensor], sequences: int) -> Operations:
    """Count what a step on one sequence does with direct convolutions, times the number of sequences.

    Args:
        loss: forward on one sequence.
        sequences: in a step.
    """
    with FlopCounterMode(display=False) as counter, winograd.allowed(False):
        loss().backward()
    counted = {str(operation): number * sequences for operation, number in counter.get_flop_counts()["Global"].items()}
    backward = counted.pop("aten.convolution_backward")
    return Operations(sum(counted.values()), backward)


def best_rate(maps: int, channels: int, kernel: int, side: int, precision: str, device: torch.device) -> Rate:
    """The best rate of the hidden convolution, alone, in the layout that suits it (channels last, no border to make).

    Args:
        maps: B*V, the number of maps.
        channels: hidden channels.
        kernel: width of the kernel in pixels.
        side: of a frame in pixels.
        precision: "float32" or "bf16".
        device: what computes.
    """
    dtype = DTYPES[precision]
    padded = side + kernel - 1
    inputs = torch.randn(maps, channels, padded, padded, device=device, dtype=dtype)
    weight = torch.randn(channels, channels, kernel, kernel, device=device, dtype=dtype)
    inputs, weight = (tensor.contiguous(memory_format=torch.channels_last) for tensor in (inputs, weight))
    gradient = F.conv2d(inputs, weight)
    none, wanted = [0, 0], [True, True, False]
    ways = {
        "forward": lambda: F.conv2d(inputs, weight),
        "backward": lambda: torch.ops.aten.convolution_backward(
            gradient, inputs, weight, None, [1, 1], none, [1, 1], False, none, 1, wanted
        ),
    }
    found = {name: min(timing.seconds) for name, timing in alternate(ways, 5, device).items()}
    once = 2 * gradient.numel() * channels * kernel**2
    return Rate(once / found["forward"], 2 * once / found["backward"])
