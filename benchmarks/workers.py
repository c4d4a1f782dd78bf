"""What it brings that several processes share each batch of a training, and what the exchange of gradients costs."""

import statistics
import tempfile
import time
from pathlib import Path

import torch
import torch.distributed as dist
from rich.console import Console

from benchmarks.report import Options, Table, duration, gain
from benchmarks.timing import Timing
from fernn.experiments import load_params
from fernn.models import FERNNPredictor
from fernn.pipeline.preflight.operations import models
from fernn.training.checkpoint import Checkpoint
from fernn.training.device import prepare
from fernn.training.distributed import World, launch
from fernn.training.loop import TrainingContext, fit
from fernn.training.prediction import PredictionTask
from fernn.training.progress import TrainingProgress

ROOT = Path(__file__).parents[1]
STEPS = 3  # of which the first is left out
EXCHANGES = 5


class Clock(TrainingProgress):
    """Shows nothing, and notes when each batch was done."""

    def __init__(self) -> None:
        super().__init__("", Console(quiet=True))
        self.times: list[float] = []

    def batch(self, state: Checkpoint) -> None:
        """Count a batch."""
        super().batch(state)
        if state.loss_sum.is_cuda:
            torch.cuda.synchronize()
        self.times.append(time.perf_counter())


def measure(options: Options) -> list[Table]:
    """Two tables: a training step by one and by several processes, and the exchange by the number of weights."""
    cuda = options.device.type == "cuda"
    count = torch.cuda.device_count() if cuda else 2
    if cuda and count == 1:
        note = "Not run: there is one GPU in this machine."
        return [Table("Several GPUs for one run", note, ["training step"], [])]
    batch = options.step_batch(options.params.translation.training.batch)
    # of a CPU the same two cores work either way
    ways = {1: 0 if cuda else count, count: 0 if cuda else 1}
    seconds: dict[int, list[float]] = {workers: [] for workers in ways}
    for number in range(options.rounds):
        for workers in ways if number % 2 == 0 else reversed(ways):
            taken = launch(workers, a_step, options.params.scale, batch, ways[workers])
            seconds[workers].append(taken)
            options.say(f"round {number + 1} of {options.rounds}: {workers} workers {taken:.4g} s")
    timings = {workers: Timing(tuple(each)) for workers, each in seconds.items()}
    unit = "GPU" if cuda else "thread"
    rows = [
        [
            _counted(workers, "worker") + " of " + _counted(1 if cuda else ways[workers], unit),
            duration(timing.median),
            gain(timing.gain_over(timings[1])),
        ]
        for workers, timing in timings.items()
    ]
    text = (
        f"A training step of FERNN-V2T with {batch} sequences in float32, as the training loop makes it, with its "
        "batch whole or shared; each way in processes of its own, the first step left out."
    )
    tables = [Table("Several workers for one run", text, ["training step", "time", "times faster than one"], rows)]
    return [*tables, _exchange(options, count)]


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number > 1)}"


def _exchange(options: Options, count: int) -> Table:
    weights = {f"{experiment}, {model}": each.weights for (experiment, model), each in models(options.params).items()}
    amounts = sorted(set(weights.values()))
    found = dict(zip(amounts, launch(count, exchanges, amounts), strict=True))
    rows = [
        [name, f"{number:,}", duration(found[number]), f"{4 * number / found[number] / 1e9:.3g} GB/s"]
        for name, number in sorted(weights.items(), key=lambda item: item[1])
    ]
    text = (
        f"The gradients of a model's weights, in float32, summed over {count} workers: the median of {EXCHANGES} "
        "times. It does not depend on the batch, and overlaps with nothing here."
    )
    return Table("The exchange of gradients", text, ["model", "weights", "time", "bytes by time"], rows)


def a_step(world: World, device: torch.device, scale: str, batch: int, threads: int) -> float:
    """Seconds of a training step of experiment A's FERNN-V2T."""
    section = load_params(ROOT / "params.yaml", scale).translation
    prepare(device, threads, "float32", transformed=True)
    torch.manual_seed(0)
    sizes = section.architecture
    model = FERNNPredictor("V2T", hidden_channels=sizes.hidden_channels, decoder_layers=sizes.decoder_layers).to(device)
    side, length = section.data.frame, section.data.seen + section.data.predicted
    frames = torch.rand(batch, length, 1, side, side, device=device)

    def of_epoch(_: int, first: int, number: int) -> torch.Tensor:
        return frames[first % batch : first % batch + number]

    task = PredictionTask(of_epoch, lambda first, number: frames[:number], STEPS * batch, 1, batch, section.data.seen)
    training = section.training.model_copy(update={"epochs": 1, "precision": "float32", "validate_every": None})
    with tempfile.TemporaryDirectory() as folder, Clock() as clock:
        fit(model, task, training, 1e-4, TrainingContext(device, Path(folder) / "checkpoint", "", clock, world=world))
    return statistics.median(after - before for before, after in zip(clock.times, clock.times[1:], strict=False))


def exchanges(world: World, device: torch.device, amounts: list[int]) -> list[float]:
    """Seconds that it takes to sum so many numbers over all workers."""
    found = []
    for amount in amounts:
        values = torch.zeros(amount, device=device)
        times = []
        for _ in range(1 + EXCHANGES):
            dist.barrier()
            began = time.perf_counter()
            world.all_reduce(values)
            values.sum().item()  # waits for the device
            times.append(time.perf_counter() - began)
        found.append(statistics.median(times[1:]))
    return found
