"""The memory that the tensors of a piece of work take at their peak."""

from collections.abc import Callable

import torch
from torch.profiler import ProfilerActivity, profile


def peak(work: Callable[[], object], device: torch.device) -> int:
    """Bytes at the peak, over what was there before."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        work()
        return torch.cuda.max_memory_allocated(device) - before
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as record:
        work()
    held = most = 0
    events = [event for event in record.profiler.kineto_results.events() if event.name() == "[memory]"]
    for event in sorted(events, key=lambda event: event.start_ns()):
        held += event.nbytes()  # negative where memory is freed
        most = max(most, held)
    return most
