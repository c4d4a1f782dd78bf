"""The memory that a piece of work needs at its peak, in a process of its own."""

import resource
import sys
from collections.abc import Callable

import torch

from fernn.training.device import prepare


def peak(make: Callable[[], Callable[[], object]], device: torch.device) -> int:
    """Bytes at the peak: on a CPU those of the whole process, on a GPU those that tensors took."""
    prepare(device, threads=0)
    work = make()
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        work()
        return torch.cuda.max_memory_allocated(device)
    work()
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024  # Linux counts in KiB
