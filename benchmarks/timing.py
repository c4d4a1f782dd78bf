"""Time and peak memory of ways of doing the same thing, measured so that they can be compared."""

import math
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.profiler import ProfilerActivity, profile

from benchmarks.report import Options, duration, gain, size
from fernn.models import winograd
from fernn.models.precision import autocast, use_precision

AT_LEAST = 0.1  # seconds of one measurement: shorter work is repeated within it
PLAIN = "plain, float32"
# the library's training steps: precision, and whether convolutions may be Winograd's, where that pays
WAYS = {
    "library, float32": ("float32", True),
    "library, direct convolution": ("float32", False),
    "library, tf32": ("tf32", False),  # on a GPU
    "library, bf16": ("bf16", False),
    PLAIN: ("float32", False),
}


@dataclass(frozen=True)
class Timing:
    """Seconds of one way, round by round."""

    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        """The median over the rounds."""
        return statistics.median(self.seconds)

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

    The first goes first in even rounds, last in odd ones. `say` takes a line for each measurement.
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


def peak(work: Callable[[], object], device: torch.device) -> int:
    """Bytes of tensors at the peak of some work, over those before it."""
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


def take_step(
    model: nn.Module, task: Any, batch: Any, optimizer: torch.optim.Optimizer, precision: str, clip_norm: float | None
) -> None:
    """One step of a task of `fernn.training` in its micro-batches, as `fernn train` takes it."""
    use_precision(precision)
    for share, part in task.parts(batch):
        with autocast(next(model.parameters()).device, precision):
            loss = task.loss(model, part) * share
        loss.backward()
    _update(model, optimizer, clip_norm)


def _update(model: nn.Module, optimizer: torch.optim.Optimizer, clip_norm: float | None) -> None:
    if clip_norm is not None:
        nn.utils.clip_grad_norm_(model.parameters(), clip_norm)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)


def training_step(
    loss_of: Callable[[nn.Module], Tensor],
    clip_norm: float | None,
    model: nn.Module,
    precision: str = "float32",
    transformed: bool = True,
) -> Callable[[], None]:
    """One step as the training loop takes it. `transformed`: convolutions may be Winograd's, where that pays."""
    device = next(model.parameters()).device
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-4, fused=True)

    def take() -> None:
        use_precision(precision)
        with autocast(device, precision), winograd.allowed(transformed):
            loss = loss_of(model)
        loss.backward()
        _update(model, optimizer, clip_norm)

    return take


def compare(options: Options, steps: Mapping[str, Callable[[], None]], first: bool = False) -> list[list[str]]:
    """Rows of training steps, of which one is `PLAIN`: name, time, times faster than plain, peak memory.

    `first`: the memory is that of a first step, which makes Adam's moments.
    """
    memory = {}
    for name, step in steps.items():
        if not first:
            step()
        memory[name] = size(peak(step, options.device))
    timings = alternate(steps, options.rounds, options.device, options.say)
    use_precision("float32")
    return [
        [name, duration(timing.median), gain(timing.gain_over(timings[PLAIN])), memory[name]]
        for name, timing in timings.items()
    ]


def against_plain(
    options: Options,
    loss: Callable[[nn.Module], Tensor],
    clip_norm: float | None,
    build: Callable[[], nn.Module],
    plain: Callable[[nn.Module], nn.Module],
) -> list[list[str]]:
    """Rows of a training step of the library's model in `WAYS`, and of the plain model with the same weights."""
    steps = {}
    for name, (precision, transformed) in WAYS.items():
        if precision != "tf32" or options.device.type == "cuda":
            model = build().to(options.device)
            model = plain(model) if name == PLAIN else model.to(memory_format=torch.channels_last)
            steps[name] = training_step(loss, clip_norm, model, precision, transformed)
    return compare(options, steps)


STEP_COLUMNS = ["training step", "time", "times faster than plain", "peak memory"]
