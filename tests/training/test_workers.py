"""Several processes that share each batch train the same network as one: all losses and weights, by every model."""

import math
import os
import signal
import time

import pytest
import torch

from fernn.errors import FernnError
from fernn.training.distributed import SINGLE_PROCESS, StoppedError, World, launch
from fernn.training.loop import Fit
from tests.closeness import relative_error
from tests.device.problems import PROBLEMS

from .sharing import DTYPES, Case, trained_all
from .toy import same

CASES: list[Case] = [(name, precision) for name in PROBLEMS for precision in DTYPES]
COUNTS = (2, 3)
CPU = torch.device("cpu")
WITHIN = {"float32": 1e-5, "float64": 1e-10}


@pytest.fixture(scope="module")
def fits() -> dict[int, dict[Case, Fit]]:
    """All trainings, by number of workers; each number is started once."""
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
            raise FernnError("the disk of worker 1 is full.")
        if how == "bug":
            raise ZeroDivisionError("of the code")
        os.kill(os.getpid(), signal.Signals[how])
    world.all_reduce(torch.zeros(()))
    time.sleep(60)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("error", r"worker 1 of 2: the disk of worker 1 is full\.$"),
        ("bug", r"worker 1 of 2: ZeroDivisionError: of the code$"),
        ("SIGKILL", r"worker 1 of 2 died of SIGKILL, and the others were ended.*goes on from the last checkpoint"),
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
