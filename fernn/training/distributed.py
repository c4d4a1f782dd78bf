"""Distributed data parallel (DDP) training of one run on one machine: a rank for each GPU.

Each batch is split by index, so neither the data nor the number of updates depends on the world size. A step needs
three sums over the ranks: of the gradients (by DistributedDataParallel), of the losses, and, where a network has batch
norm, of what its statistics are made of (`fernn.models.norm`).
"""

import ctypes
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.elastic.multiprocessing.api import SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError, record
from torch.distributed.launcher.api import LaunchConfig, elastic_launch
from torch.nn.parallel import DistributedDataParallel

from fernn.errors import FernnError, explain
from fernn.models.norm import share_statistics

T = TypeVar("T")
TIMEOUT = timedelta(minutes=30)  # of a collective operation: ranks differ in their validations and in their start
SECONDS_TO_SAVE = 300  # that ranks get for the current batch and the checkpoint, once they were asked to stop
SECONDS_TO_NOTICE = 10  # within which the launcher notices which rank ended first
_HANDLED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)
_PR_SET_PDEATHSIG = 1  # prctl.h of Linux


@dataclass(frozen=True)
class World:
    """The process group of a training, seen from one rank. The default is a single process without communication.

    Attributes:
        rank: of this process; rank 0 writes all files.
        size: the world size.
        hosts: process group on the CPUs (gloo), for values that need no wait for a device.
    """

    rank: int = 0
    size: int = 1
    hosts: dist.ProcessGroup | None = None

    @property
    def first(self) -> bool:
        """Whether this is rank 0."""
        return self.rank == 0

    def shard(self, total: int) -> tuple[int, int]:
        """First index and number of this rank's sequences, of a batch of `total`.

        If the batch is smaller than the world size, every rank computes the full batch.
        """
        if total < self.size:
            return 0, total
        first = self.rank * total // self.size
        return first, (self.rank + 1) * total // self.size - first

    def weight(self, total: int) -> float:
        """Weight of the mean over this rank's shard in the mean over the batch of `total` sequences."""
        return 1 / self.size if total < self.size else self.shard(total)[1] / total

    def wrap(self, model: nn.Module) -> nn.Module:
        """The model in DistributedDataParallel, which averages gradients over the ranks; in a single process the model.

        Torch keeps the first layout of the gradient buckets only where it looks for unused parameters. So sums are
        rounded the same way after a training was resumed.
        """
        if self.size == 1:
            return model
        return DistributedDataParallel(model, broadcast_buffers=False, find_unused_parameters=True)

    def all_reduce(self, value: Tensor) -> Tensor:
        """The sum of a tensor over all ranks, in place, on its device."""
        if self.size > 1:
            dist.all_reduce(value)
        return value

    def maximum(self, *values: int) -> tuple[int, ...]:
        """The largest of each value over all ranks, so that all stop or save after the same batch; waits for no GPU."""
        if self.size == 1:
            return values
        numbers = torch.tensor(values)
        dist.all_reduce(numbers, dist.ReduceOp.MAX, group=self.hosts)
        return tuple(numbers.tolist())

    def all_gather(self, value: T) -> list[T]:
        """The value of each rank."""
        found: list[Any] = [value] * self.size
        if self.size > 1:
            dist.all_gather_object(found, value, group=self.hosts)
        return found

    @contextmanager
    def micro_batch(self, model: nn.Module, total: int, last: bool) -> Iterator[None]:
        """The forward and backward pass of one micro-batch.

        Gradients accumulate locally and are reduced with the `last` micro-batch of this rank. Batch norm sees the whole
        batch, of `total` sequences.
        """
        local = nullcontext() if last or not isinstance(model, DistributedDataParallel) else model.no_sync()
        with local, share_statistics(1 < self.size <= total):
            yield


SINGLE_PROCESS = World()


class StoppedError(Exception):
    """The ranks received a signal to stop, and have stopped."""

    def __init__(self, signum: int) -> None:
        super().__init__(signal.Signals(signum).name)
        self.signum = signum


def launch(size: int, work: Callable[..., Any], *arguments: Any) -> Any:
    """Call work(world, device, *arguments) in `size` new processes; returns the value of rank 0.

    Each process gets one of the visible GPUs, or the CPU. If one dies, torch's launcher stops the others, and kills
    them after half a minute; if this process dies, they are killed. SIGTERM and SIGINT are passed on to them.

    Args:
        size: the world size.
        work: a function of a module, since new processes import it.
        arguments: values that can be pickled.

    Raises:
        StoppedError: if a signal stopped them.
        FernnError: with the error of the first rank that failed, or the signal that killed it.
    """
    for name in ("torch.distributed.elastic", "torch.multiprocessing.spawn"):
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)  # our errors say the same in fewer lines
    # each rank would warn that no parameter is unused; `World.wrap` says why it looks for them
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=size,
        run_id="fernn",
        rdzv_backend="c10d",
        rdzv_endpoint="localhost:0",
        local_addr="localhost",
        max_restarts=0,  # Snakemake or the user restarts a training
        shutdown_timeout=SECONDS_TO_SAVE,
    )
    config.numa_options = None  # torch would set them by itself where all GPUs are used; not tested
    handlers = {number: signal.getsignal(number) for number in _HANDLED}
    try:
        return elastic_launch(config, _rank_process)(work, arguments)[0]
    except SignalException as error:
        raise StoppedError(error.sigval) from None
    except ChildFailedError as error:
        rank, failure = error.get_first_failure()
        if failure.exitcode > 128:
            raise StoppedError(failure.exitcode - 128) from None
        raise FernnError(_explained(rank, size, failure)) from None
    finally:  # the launcher leaves its own handlers
        for number, handler in handlers.items():
            signal.signal(number, handler)


@record
def _rank_process(work: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    """Body of one of the launched processes."""
    _die_with_parent()
    device = torch.device("cuda", int(os.environ["LOCAL_RANK"])) if torch.cuda.is_available() else torch.device("cpu")
    try:
        with _joined(device) as world:
            return work(world, device, *arguments)
    except FernnError:
        raise
    except Exception as error:
        if (signum := getattr(error, "signum", None)) is not None:  # asked to stop: the checkpoint is written
            sys.stdout.flush()
            os._exit(128 + signum)
        if isinstance(error, dist.DistError) or "gloo" in str(error):
            time.sleep(SECONDS_TO_NOTICE)  # another rank ended first: the launcher has to report that one
        raise FernnError(explain(error) or f"{type(error).__name__}: {error}") from error


@contextmanager
def _joined(device: torch.device) -> Iterator[World]:
    """Join the process group as the rank that torch's launcher set in the environment."""
    if device.type == "cuda":
        torch.cuda.set_device(device)
    settings: dict[str, Any] = {"device_id": device} if device.type == "cuda" else {}
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo", timeout=TIMEOUT, **settings)
    try:
        hosts = dist.new_group(backend="gloo", timeout=TIMEOUT)
        yield World(int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"]), hosts)
    finally:
        dist.destroy_process_group()


def _explained(rank: int, size: int, failure: Any) -> str:
    name = f"rank {rank} of {size}"
    if failure.exitcode < 0:
        return (
            f"{name} died of {signal.Signals(-failure.exitcode).name}, and the others were ended. SIGKILL is mostly "
            "for want of memory. The same command goes on from the last checkpoint."
        )
    found = failure.message["message"] if isinstance(failure.message, dict) else str(failure.message)
    return f"{name}: {found.removeprefix('FernnError: ')}"


def _die_with_parent() -> None:
    """Make the kernel kill this process when its parent dies: otherwise it would go on beside its successor."""
    if sys.platform == "linux":
        parent = os.getppid()
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # dead already
            os._exit(1)
