"""The processes that share each batch of a training, by torch.distributed: one for each GPU, or alone.

Sequences are split by index, so recipes, their order and the number of updates do not depend on how many share them.
What a step takes from the others are sums: of the gradients, by DistributedDataParallel; of the losses; and, where a
network has batch norm, of what its statistics are made of (`fernn.models.norm`).
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from fernn.models.norm import share_statistics

T = TypeVar("T")
PATIENCE = timedelta(minutes=30)  # with others that are at work: validations, and what precedes the first batch, differ


@dataclass(frozen=True)
class Workers:
    """One of the processes of a training, and how it speaks with the others.

    Attributes:
        rank: from 0; the first one writes what is written.
        count: of the processes.
        hosts: their group on CPUs, for what no device has to wait for.
    """

    rank: int = 0
    count: int = 1
    hosts: dist.ProcessGroup | None = None

    @property
    def first(self) -> bool:
        """Whether this one writes."""
        return self.rank == 0

    def share(self, total: int) -> tuple[int, int]:
        """The first of this one's own of so many sequences, and how many they are.

        Fewer sequences than workers are nobody's own: each worker has all of them, as if it were alone.
        """
        if total < self.count:
            return 0, total
        first = self.rank * total // self.count
        return first, (self.rank + 1) * total // self.count - first

    def weight(self, total: int) -> float:
        """What the mean over this one's own counts for in the mean over all of so many sequences."""
        return 1 / self.count if total < self.count else self.share(total)[1] / total

    def engine(self, model: nn.Module) -> nn.Module:
        """The model, called by which its gradients become those of all sequences, if alone: as it is.

        Gradients are the mean over the workers, of each its own. Buckets stay as they are first laid out (which torch
        does where it looks for unused weights): sums are then rounded the same way after a training was stopped.
        """
        if self.count == 1:
            return model
        return DistributedDataParallel(model, broadcast_buffers=False, find_unused_parameters=True)

    def sum(self, value: Tensor) -> Tensor:
        """The sum of the values of all, on their device."""
        if self.count > 1:
            dist.all_reduce(value)
        return value

    def agree(self, *own: int) -> tuple[int, ...]:
        """The largest of each number that any has: so all stop, or save, after the same batch. Waits for no device."""
        if self.count == 1:
            return own
        numbers = torch.tensor(own)
        dist.all_reduce(numbers, dist.ReduceOp.MAX, group=self.hosts)
        return tuple(numbers.tolist())

    def gather(self, own: T) -> list[T]:
        """The value of each."""
        found: list[Any] = [own] * self.count
        if self.count > 1:
            dist.all_gather_object(found, own, group=self.hosts)
        return found

    @contextmanager
    def at(self, engine: nn.Module, total: int, last: bool) -> Iterator[None]:
        """Compute a part of a batch of so many sequences.

        Gradients are exchanged with the last part, once those of all were added up; batch norm sees the whole batch,
        whoever has which of it.
        """
        alone = nullcontext() if last or not isinstance(engine, DistributedDataParallel) else engine.no_sync()
        with alone, share_statistics(1 < self.count <= total):
            yield


ALONE = Workers()


@contextmanager
def joined(device: torch.device) -> Iterator[Workers]:
    """Be one of the workers that torch's launcher started; it says in the environment which one.

    Args:
        device: of this one.
    """
    if device.type == "cuda":
        torch.cuda.set_device(device)
    settings: dict[str, Any] = {"device_id": device} if device.type == "cuda" else {}
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo", timeout=PATIENCE, **settings)
    try:
        hosts = dist.new_group(backend="gloo", timeout=PATIENCE)
        yield Workers(int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"]), hosts)
    finally:
        dist.destroy_process_group()
