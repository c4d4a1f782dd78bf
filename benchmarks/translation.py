"""Experiment A: a training step, the rendering of a batch, and a step in a separate process.

    python -m benchmarks.translation plain --batch 4

prints the seconds of a step. The library's process is set up like `fernn train`; the baseline's has
what Python and torch begin with, so that each large block of memory goes back to the system and comes zeroed again.
"""

import subprocess
import sys
import time
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import torch
import typer
from torch import Tensor, nn

from benchmarks.report import ROOT, Options, Table, duration, gain, size
from benchmarks.timing import STEP_COLUMNS, Timing, against_plain, alternate, training_step
from fernn.datasets.sequences import Render, Sampler
from fernn.datasets.translating import TranslationSampler, render
from fernn.errors import FernnError
from fernn.experiments import load_params
from fernn.experiments.digits.params import DigitParams
from fernn.flows.translation import Translation
from fernn.models.predictor import FERNNPredictor
from fernn.training.device import choose_device, prepare
from fernn.training.tasks import PredictionTask
from tests.reference import translation as plain


class Way(StrEnum):
    """Who computes."""

    LIBRARY = "library"
    PLAIN = "plain"


def measure(options: Options) -> list[Table]:
    """A training step and the rendering of a batch."""
    section = options.params.translation
    flow = max((Translation.parse(group.flow) for group in section.runs), key=len)

    def book(pool: int) -> TranslationSampler:
        return TranslationSampler(section.data.seed, "benchmark", pool, section.data.digits, section.data.frame, flow)

    return [_training(options), rendering(options, "A", section, book, (render, plain.render), "roll")]


def problem(options: Options) -> tuple[Callable[[], FERNNPredictor], Callable[[nn.Module], Tensor]]:
    """The network with the most generators, and the loss of one like it on a batch."""
    section = options.params.translation
    data, flow, batch = section.data, _largest(options), options.step_batch(section.training.batch)
    frames = torch.rand(batch, data.seen + data.predicted, 1, data.frame, data.frame, device=options.device)
    task = PredictionTask(lambda *_: frames, lambda *_: frames, batch, batch, batch, data.seen)

    def build() -> FERNNPredictor:
        torch.manual_seed(0)
        return FERNNPredictor(flow, 1, **section.architecture.model_dump()).to(options.device)

    return build, lambda model: task.loss(model, frames)


def _largest(options: Options) -> Translation:
    return max((Translation.parse(model.flow) for model in options.params.translation.models.values()), key=len)


def _training(options: Options) -> Table:
    section, flow = options.params.translation, _largest(options)
    data, batch = section.data, options.step_batch(section.training.batch)
    build, loss = problem(options)
    options.say(f"training step, {flow.name}, batch {batch}")
    rows = against_plain(options, loss, section.training.clip_norm, build, plain.PlainPredictor)
    text = (
        f"{flow.name} with {section.architecture.hidden_channels} channels, {data.frame}x{data.frame} pixels, "
        f"{data.seen} frames seen and {data.predicted} predicted, batch {batch}: forward, backward, clipping, Adam."
    )
    return Table("Experiment A: training step", text, STEP_COLUMNS, rows)


def rendering(
    options: Options,
    letter: str,
    section: DigitParams,
    book: Callable[[int], Sampler],
    ways: tuple[Render, Render],
    operation: str,
) -> Table:
    """The rendering of a batch of flowing digits, against a data set that makes one sequence at a time.

    `book` is the distribution of samples, given the number of digits; `ways` are the library's and the baseline, which
    does one `operation` for each digit and frame.
    """
    data, batch, device = section.data, section.training.batch, options.device
    frames = data.seen + data.predicted
    generator = torch.Generator().manual_seed(0)
    pool = torch.randint(0, 256, (1000, data.digit, data.digit), dtype=torch.uint8, generator=generator)
    recipes = book(len(pool)).draw(batch)
    pool_there, recipes_there = pool.to(device), recipes.to(device)
    ours, theirs = ways
    calls = {
        "library": lambda: ours(pool_there, recipes_there, frames, data.frame),
        "plain": lambda: theirs(pool, recipes, frames, data.frame).to(device),
    }
    options.say(f"rendering, batch {batch}")
    timings = alternate(calls, options.rounds, device, options.say)
    text = (
        f"A batch of {batch} sequences of {frames} frames, {data.frame}x{data.frame} pixels, {data.digits} digits, "
        "rendered on the training device. The baseline is a data set that yields one sequence at a time, with one "
        f"{operation} per digit and frame, in one process; n data loader workers would be at most n times faster."
    )
    rows = [
        [name, duration(timing.median), gain(timing.gain_over(timings["plain"]))] for name, timing in timings.items()
    ]
    return Table(f"Experiment {letter}: rendering", text, ["rendering", "time", "times faster than plain"], rows)


def alone(options: Options) -> list[Table]:
    """A training step of both ways, each in processes of its own."""
    seconds: dict[Way, list[float]] = {way: [] for way in Way}
    memory: dict[Way, int] = {}
    for number in range(options.rounds):
        for way in Way if number % 2 == 0 else reversed(Way):
            taken, memory[way] = _in_a_process(way, options)
            seconds[way].append(taken)
            options.say(f"round {number + 1} of {options.rounds}: {way}, a separate process {taken:.4g} s")
    timings = {way: Timing(tuple(each)) for way, each in seconds.items()}
    rows = [
        [way.value, duration(timing.median), gain(timing.gain_over(timings[Way.PLAIN])), size(memory[way])]
        for way, timing in timings.items()
    ]
    text = (
        "The second training step of a separate process, in float32, with the sizes above. The library's process is "
        "set up like `fernn train`; the baseline's keeps the defaults of Python and torch, as a user of the released "
        "code would. Peak memory is that of the whole process"
        f"{' on the card' if options.device.type == 'cuda' else ''}."
    )
    return [Table("Experiment A: separate processes", text, STEP_COLUMNS, rows)]


def _in_a_process(way: Way, options: Options) -> tuple[float, int]:
    command = [sys.executable, "-m", "benchmarks.translation", way.value, "--scale", options.params.scale]
    if options.batch is not None:
        command += ["--batch", str(options.batch)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode != 0:
        raise FernnError(f"{' '.join(command)} failed: {done.stderr.strip()[-500:]}")
    taken, memory = done.stdout.split()
    return float(taken), int(memory)


def run(way: Way, scale: str = "paper", batch: Annotated[int | None, typer.Option(min=1)] = None) -> None:
    """Print the seconds of experiment A's second step, and the most memory that the process took, in bytes."""
    device = choose_device(scale, allow_cpu=True)
    if way is Way.LIBRARY:
        prepare(device, threads=0, precision="float32", transformed=True)
    options = Options(load_params(ROOT / "params.yaml", scale), device, 1, batch, lambda line: None)
    build, loss = problem(options)
    model = build().to(memory_format=torch.channels_last)
    network = model if way is Way.LIBRARY else plain.PlainPredictor(model)
    step = training_step(loss, options.params.translation.training.clip_norm, network)
    seconds = []
    for _ in range(2):
        began = time.perf_counter()
        step()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        seconds.append(time.perf_counter() - began)
    print(seconds[-1], _most_memory(device))


def _most_memory(device: torch.device) -> int:
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    # of this program alone, where ru_maxrss begins with what the process held that started it
    status = Path("/proc/self/status").read_text(encoding="utf-8") if sys.platform == "linux" else ""
    return next((1024 * int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")), 0)


if __name__ == "__main__":
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(run)
    app()
