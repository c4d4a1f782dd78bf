"""Many seeds in few numbers."""

import statistics
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Summary:
    """A measure over seeds: its mean, the sample standard deviation (n - 1; None for one seed), the number of seeds."""

    mean: float
    std: float | None
    n: int


def summarize(values: Iterable[float]) -> Summary:
    """Mean and sample standard deviation of one value for each seed; at least one."""
    values = list(values)
    std = statistics.stdev(values) if len(values) > 1 else None
    return Summary(statistics.fmean(values), std, len(values))
