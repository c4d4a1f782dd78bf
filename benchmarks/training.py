"""Training steps, measured against the plain way and against the time that their convolutions need at the least."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.floor import Operations, best_rate
from benchmarks.memory import peak
from benchmarks.report import Options, duration, gain, size
from benchmarks.timing import alternate
from fernn.models import winograd
from fernn.models.precision import autocast, use_precision

OURS, DIRECT, BF16, PLAIN = "library, float32", "library, direct convolution", "library, bf16", "plain, float32"


@dataclass(frozen=True)
class Step:
    """What a step does.

    Attributes:
        loss: forward of a model on the batch.
        clip_norm: largest norm of the gradient, or None.
        operations: of the library's convolutions.
        hidden: of the hidden convolution, maps (B*V), channels, kernel width and side in pixels.
    """

    loss: Callable[[nn.Module], Tensor]
    clip_norm: float | None
    operations: Operations
    hidden: tuple[int, int, int, int]


def compare(options: Options, step: Step, models: Mapping[str, nn.Module]) -> tuple[list[str], list[list[str]]]:
    """Columns and rows of a table.

    Args:
        options: see there.
        step: see there.
        models: for each of `OURS`, `DIRECT`, `BF16` and `PLAIN`, a model of its own.
    """
    device = options.device
    ways = {
        name: training_step(step.loss, step.clip_norm, model, "bf16" if name == BF16 else "float32", name == OURS)
        for name, model in models.items()
    }
    memory = {}
    for name, way in ways.items():
        way()  # Adam's moments are there from now on
        memory[name] = size(peak(way, device))
    timings = alternate(ways, options.rounds, device, options.say)
    floors = {p: best_rate(*step.hidden, p, device).floor(step.operations) for p in ("float32", "bf16")}
    columns = ["training step", "time", "times faster than plain", "floor", "distance", "peak memory"]
    rows = []
    for name, timing in timings.items():
        floor = floors["bf16" if name == BF16 else "float32"]
        faster, distance = gain(timing.gain_over(timings[PLAIN])), f"{timing.median / floor:.2f}"
        rows.append([name, duration(timing.median), faster, duration(floor), distance, memory[name]])
    return columns, rows


def take_step(
    model: nn.Module,
    task: Any,
    batch: Any,
    optimizer: torch.optim.Optimizer,
    precision: str,
    clip_norm: float | None,
) -> None:
    """One step of a task in its parts, as `fernn train` takes it.

    Args:
        model: is trained.
        task: of `fernn.training`.
        batch: of the task.
        optimizer: of the model's weights.
        precision: see `fernn.models.precision`; its switches are set here.
        clip_norm: largest norm of the gradient, or None.
    """
    use_precision(precision)
    for share, part in task.parts(batch):
        with autocast(next(model.parameters()).device, precision):
            loss = task.loss(model, part) * share
        loss.backward()
    if clip_norm is not None:
        nn.utils.clip_grad_norm_(model.parameters(), clip_norm)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)


def training_step(
    loss_of: Callable[[nn.Module], Tensor],
    clip_norm: float | None,
    model: nn.Module,
    precision: str,
    transformed: bool = True,
) -> Callable[[], None]:
    """One step as the training loop takes it, but for when the gradients are dropped: each step begins without any.

    Args:
        loss_of: forward of a model on the batch.
        clip_norm: largest norm of the gradient, or None.
        model: is trained.
        precision: "float32" or "bf16".
        transformed: whether convolutions may be Winograd's, where that pays.
    """
    device = next(model.parameters()).device
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-4, fused=True)

    def take() -> None:
        with autocast(device, precision), winograd.allowed(transformed):
            loss = loss_of(model)
        loss.backward()
        if clip_norm is not None:
            nn.utils.clip_grad_norm_(model.parameters(), clip_norm)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    return take
