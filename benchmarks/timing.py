"""How long ways of doing the same thing take, measured so that they can be compared."""

import math
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch

AT_LEAST = 0.1  # seconds of one measurement: shorter work is repeated within it


@dataclass(frozen=True)
class Timing:
    """Seconds of one way, round by round."""

    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        """The median over the rounds."""
        return statistics.median(self.seconds)

    def __add__(self, other: "Timing") -> "Timing":
        """One after the other, round by round."""
        return Timing(tuple(mine + theirs for mine, theirs in zip(self.seconds, other.seconds, strict=True)))

    def gain_over(self, other: "Timing") -> tuple[float, float, float]:
        """How many times faster than another way: the median of the rounds' own ratios, the smallest, the largest.

        What disturbs a machine for a while disturbs both ways of a round, so ratios are steadier than seconds.
        """
        ratios = [theirs / ours for ours, theirs in zip(self.seconds, other.seconds, strict=True)]
        return statistics.median(ratios), min(ratios), max(ratios)


def alternate(
    ways: Mapping[str, Callable[[], object]],
    rounds: int,
    device: torch.device,
    say: Callable[[str], None] = lambda line: None,
) -> dict[str, Timing]:
    """Run the ways one after the other, round by round, after a run or two of each to warm up.

    Args:
        ways: what to run, by name; the first goes first in even rounds, last in odd ones.
        rounds: number of rounds, at least 1.
        device: what computes; a GPU is waited for.
        say: told of each measurement.
    """
    repeats = {}
    for name, work in ways.items():
        once = _seconds(work, 1, device)
        if once < AT_LEAST:  # then a second run costs little, and the first one may have been slow
            once = _seconds(work, 1, device)
        repeats[name] = math.ceil(AT_LEAST / max(once, 1e-6))
    found: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds):
        for name in list(ways) if number % 2 == 0 else reversed(list(ways)):
            found[name].append(_seconds(ways[name], repeats[name], device))
            say(f"round {number + 1} of {rounds}: {name} {found[name][-1]:.4g} s")
    return {name: Timing(tuple(seconds)) for name, seconds in found.items()}


def _seconds(work: Callable[[], object], repeats: int, device: torch.device) -> float:
    _wait(device)
    began = time.perf_counter()
    for _ in range(repeats):
        work()
    _wait(device)
    return (time.perf_counter() - began) / repeats


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
