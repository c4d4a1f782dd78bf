"""A training step in a process of its own, as a user has it.

    python -m benchmarks.alone plain --batch 4

prints the seconds of a step. The library's process is prepared as `fernn train` prepares it; that of the plain way has
what Python and torch begin with, so that each large block of memory goes back to the system and comes zeroed again.
"""

import subprocess
import sys
import time
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import torch
import typer

from benchmarks.report import Options, Table, duration, gain, size
from benchmarks.timing import Timing
from benchmarks.training import training_step
from benchmarks.translation import problem
from fernn.errors import FernnError
from fernn.experiments import load_params
from fernn.training.device import choose_device, prepare
from tests.reference.translation import PlainPredictor

ROOT = Path(__file__).parents[1]


class Way(StrEnum):
    """Who computes."""

    LIBRARY = "library"
    PLAIN = "plain"


def run(way: Way, scale: str = "paper", batch: Annotated[int | None, typer.Option(min=1)] = None) -> None:
    """Print the seconds of experiment A's second step, and the most memory that the process took, in bytes."""
    device = choose_device(scale, allow_cpu=True)
    if way is Way.LIBRARY:
        prepare(device, threads=0, precision="float32", transformed=True)
    options = Options(load_params(ROOT / "params.yaml", scale), device, 1, batch, lambda line: None)
    model, loss = problem(options)
    network = model if way is Way.LIBRARY else PlainPredictor(model)
    step = training_step(loss, options.params.translation.training.clip_norm, network, "float32")
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


def measure(options: Options) -> list[Table]:
    """The table of both ways."""
    seconds: dict[Way, list[float]] = {way: [] for way in Way}
    memory: dict[Way, int] = {}
    for number in range(options.rounds):
        for way in Way if number % 2 == 0 else reversed(Way):
            taken, memory[way] = _in_a_process(way, options)
            seconds[way].append(taken)
            options.say(f"round {number + 1} of {options.rounds}: {way}, a process of its own {taken:.4g} s")
    timings = {way: Timing(tuple(each)) for way, each in seconds.items()}
    rows = [
        [way.value, duration(timing.median), gain(timing.gain_over(timings[Way.PLAIN])), size(memory[way])]
        for way, timing in timings.items()
    ]
    text = (
        "The second step of a process that does nothing else, in float32, of the same sizes as above. The library's "
        "process is prepared as `fernn train` prepares it; that of the plain way is as Python and torch begin, which "
        "is what a user of the released code has. Peak memory is that of the whole process"
        f"{' on the card' if options.device.type == 'cuda' else ''}."
    )
    columns = ["training step", "time", "times faster than plain", "peak memory"]
    return [Table("Experiment A: a process of its own", text, columns, rows)]


def _in_a_process(way: Way, options: Options) -> tuple[float, int]:
    command = [sys.executable, "-m", "benchmarks.alone", way.value, "--scale", options.params.scale]
    if options.batch is not None:
        command += ["--batch", str(options.batch)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode != 0:
        raise FernnError(f"{' '.join(command)} failed: {done.stderr.strip()[-500:]}")
    taken, memory = done.stdout.split()
    return float(taken), int(memory)


if __name__ == "__main__":
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(run)
    app()
