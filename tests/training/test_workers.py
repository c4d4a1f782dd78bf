"""Several processes that share each batch train the same network as one: all losses and weights, by every model."""

import dataclasses
import math
import os
import signal
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from rich.console import Console
from torch import Tensor, nn

from fernn.errors import FernnError
from fernn.training.device import prepare
from fernn.training.distributed import SINGLE_PROCESS, StoppedError, World, launch
from fernn.training.loop import Fit, fit
from fernn.training.progress import TrainingProgress
from fernn.training.tasks import PredictionTask, RecognitionTask, Task
from tests.closeness import relative_error
from tests.device.problems import PROBLEMS

from .toy import context, same, section

# an epoch of 12 in batches of 5, 5 and 2: which no world size divides into equal shares, and three workers have one
# batch that is too small for a share each
SIZES = {"batches": 3, "batch_size": 5}
DTYPES = {"float32": torch.float32, "float64": torch.float64}
Case = tuple[str, str]  # a model and a precision
CASES: list[Case] = [(name, precision) for name in PROBLEMS for precision in DTYPES]
COUNTS = (2, 3)
CPU = torch.device("cpu")
WITHIN = {"float32": 1e-5, "float64": 1e-10}


class ExactPrediction(PredictionTask):
    """In the precision of the frames."""

    def loss(self, model: nn.Module, part: Tensor) -> Tensor:
        target = part[:, self.seen :]
        return F.mse_loss(model(part[:, : self.seen], target.shape[1]), target)


class ExactRecognition(RecognitionTask):
    """In the precision of the clips."""

    def loss(self, model: nn.Module, part: tuple[Tensor, Tensor]) -> Tensor:
        return F.cross_entropy(model(part[0]), part[1])


def exact(task: Task, dtype: torch.dtype) -> Task:
    """The task with batches that do not divide, and numbers of this precision."""

    def cast(found: Any) -> Any:
        return found.to(dtype) if isinstance(found, Tensor) else (found[0].to(dtype), found[1])

    assert dataclasses.is_dataclass(task)
    given = {field.name: getattr(task, field.name) for field in dataclasses.fields(task) if field.init}
    given["batch_size"] = SIZES["batch_size"]
    for name in ("train", "validation"):
        given[name] = lambda *at, of=given[name]: cast(of(*at))
    return ExactPrediction(**given) if isinstance(task, PredictionTask) else ExactRecognition(**given)


def trained(world: World, case: Case) -> Fit:
    """Train a model for two epochs, by this worker."""
    name, precision = case
    dtype = DTYPES[precision]
    model = PROBLEMS[name].model(CPU).to(dtype)
    task = exact(PROBLEMS[name].task(CPU, SIZES["batches"]), dtype)
    with tempfile.TemporaryDirectory() as folder, TrainingProgress(name, Console(quiet=True)) as progress:
        how = section(epochs=2, validate_every=1)  # so that every step's loss is in the history
        return fit(model, task, how, 1e-3, context(Path(folder) / "checkpoint", progress, world=world))


def trained_all(world: World, device: torch.device, cases: list[Case]) -> dict[Case, Fit]:
    """What `launch` calls in each of its processes."""
    prepare(device, threads=1, precision="float32", transformed=True)
    return {case: trained(world, case) for case in cases}


@pytest.fixture(scope="module")
def fits() -> dict[int, dict[Case, Fit]]:
    """All trainings, by world size; each is started once."""
    threads = torch.get_num_threads()
    found = {1: trained_all(SINGLE_PROCESS, CPU, CASES)}
    torch.set_num_threads(threads)
    return found | {count: launch(count, trained_all, CASES) for count in COUNTS}


@pytest.mark.slow
@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("precision", DTYPES)
@pytest.mark.parametrize("name", PROBLEMS)
def test_the_same_losses_and_weights(fits, name, precision, count):
    alone, shared = fits[1][name, precision], fits[count][name, precision]
    assert len(alone.history) == len(shared.history) == 6  # of each step
    for mine, theirs in zip(alone.history, shared.history, strict=True):
        assert mine.keys() == theirs.keys()
        for measure in mine:
            assert theirs[measure] == pytest.approx(mine[measure], rel=WITHIN[precision]), measure
    assert alone.weights.keys() == shared.weights.keys()
    for weight, value in alone.weights.items():  # statistics of batch norm among them
        assert relative_error(shared.weights[weight], value) < WITHIN[precision], weight


@pytest.mark.slow
def test_the_same_bits_with_the_same_number(fits):
    again = launch(3, trained_all, CASES)
    assert all(same(again[case], fits[3][case]) for case in CASES)


@pytest.mark.parametrize(("total", "count"), [(5, 2), (5, 3), (4, 4), (128, 8), (3, 2)])
def test_shares_are_the_whole_batch_once(total, count):
    workers = [World(rank, count) for rank in range(count)]
    shares = [worker.shard(total) for worker in workers]
    assert [index for first, number in shares for index in range(first, first + number)] == list(range(total))
    assert max(number for _, number in shares) - min(number for _, number in shares) <= 1
    assert [worker.weight(total) for worker in workers] == pytest.approx([number / total for _, number in shares])


def test_a_batch_that_is_too_small_is_everyones():
    workers = [World(rank, 3) for rank in range(3)]
    assert {worker.shard(2) for worker in workers} == {(0, 2)}
    assert math.fsum(worker.weight(2) for worker in workers) == pytest.approx(1)


def fail(world: World, device: torch.device, how: str) -> None:
    """One worker ends in some way, and the others wait for it."""
    if world.rank == 1:
        if how == "error":
            raise FernnError("the disk of rank 1 is full.")
        if how == "bug":
            raise ZeroDivisionError("of the code")
        os.kill(os.getpid(), signal.Signals[how])
    world.all_reduce(torch.zeros(()))
    time.sleep(60)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("error", r"rank 1 of 2: the disk of rank 1 is full\.$"),
        ("bug", r"rank 1 of 2: ZeroDivisionError: of the code$"),
        ("SIGKILL", r"rank 1 of 2 died of SIGKILL, and the others were ended.*goes on from the last checkpoint"),
    ],
)
def test_a_worker_that_ends_ends_the_others_and_is_told(how, said, capfd):
    began = time.monotonic()
    with pytest.raises(FernnError, match=said):
        launch(2, fail, how)
    assert time.monotonic() - began < 45
    assert "Traceback" not in capfd.readouterr().err


def stop(world: World, device: torch.device) -> None:
    """Ask the parent to stop, as a time limit does; then stop as a training does, when all know of it."""
    seen = []
    signal.signal(signal.SIGTERM, lambda *_: seen.append(signal.SIGTERM))
    if world.first:
        os.kill(os.getppid(), signal.SIGTERM)
    while not any(world.maximum(len(seen))):
        time.sleep(0.01)
    raise StoppedError(signal.SIGTERM)


@pytest.mark.slow
def test_all_stop_when_one_is_asked_to():
    handlers = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    with pytest.raises(StoppedError) as caught:
        launch(2, stop)
    assert caught.value.signum == signal.SIGTERM
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)] == handlers
