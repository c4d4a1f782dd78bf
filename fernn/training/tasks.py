"""What models are trained to do: predict the frames that follow (prediction), or name an action (recognition)."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fernn.training.distributed import SINGLE_PROCESS, World


@dataclass
class Task(ABC):
    """What a model is trained to do. A batch depends on (epoch, number) alone, so any batch can be repeated.

    Attributes:
        train: train(epoch, first, count) gives samples first ... first + count - 1 of an epoch, on the training device.
        validation: validation(first, count) gives samples of the validation set.
        sequences: training samples of an epoch; the last batch may be smaller.
        validation_sequences: samples of the validation set.
        batch_size: samples of a batch.
        micro_batch: samples computed at a time, which bounds the memory of a step; None for the whole batch. It decides
            how sums are rounded, so a resumed training keeps its value.
    """

    train: Callable[[int, int, int], Any]
    validation: Callable[[int, int], Any]
    sequences: int
    validation_sequences: int
    batch_size: int
    micro_batch: int | None = field(default=None, kw_only=True)

    @property
    def batches(self) -> int:
        """Batches of an epoch."""
        return -(-self.sequences // self.batch_size)

    def size(self, number: int) -> int:
        """Samples of a batch."""
        return min(self.batch_size, self.sequences - number * self.batch_size)

    def batch(self, epoch: int, number: int, world: World = SINGLE_PROCESS) -> Any:
        """This rank's shard of a batch."""
        first, count = world.shard(self.size(number))
        return self.train(epoch, number * self.batch_size + first, count)

    def validation_batches(self, world: World = SINGLE_PROCESS) -> Iterator[Any]:
        """This rank's share of the batches of the validation set."""
        for first in range(0, self.validation_sequences, self.batch_size)[world.rank :: world.size]:
            yield self.validation(first, min(self.batch_size, self.validation_sequences - first))

    def parts(self, batch: Any) -> Iterable[tuple[float, Any]]:
        """The micro-batches of a shard, each with its weight in the loss of the shard."""
        return [(1.0, batch)]

    @abstractmethod
    def loss(self, model: nn.Module, part: Any) -> Tensor:
        """The mean loss of a micro-batch, a scalar to be differentiated."""

    @abstractmethod
    def validate(self, model: nn.Module, world: World = SINGLE_PROCESS) -> dict[str, float]:
        """Measures on the validation set, with "validation_loss"; the ranks share the batches."""

    @abstractmethod
    def score(self, measures: dict[str, float]) -> float:
        """The score of an epoch; the first epoch with the smallest score is kept."""


@dataclass
class PredictionTask(Task):
    """Predict the frames after the first `seen` ones (paper, Section 5.1). Samples are frames (B, T, C, H, W)."""

    seen: int

    def parts(self, batch: Tensor) -> Iterator[tuple[float, Tensor]]:
        """See `Task`."""
        for part in batch.split(self.micro_batch or len(batch)):
            yield len(part) / len(batch), part

    def loss(self, model: nn.Module, part: Tensor) -> Tensor:
        """Mean squared error of the predicted frames, in float32."""
        target = part[:, self.seen :]
        return F.mse_loss(model(part[:, : self.seen], target.shape[1]).float(), target)

    def validate(self, model: nn.Module, world: World = SINGLE_PROCESS) -> dict[str, float]:
        """The mean squared error over the whole validation set."""
        total = torch.zeros((), dtype=torch.float64, device=next(model.parameters()).device)
        for frames in self.validation_batches(world):
            total += self.loss(model, frames) * frames.shape[0]
        return {"validation_loss": world.all_reduce(total).item() / self.validation_sequences}

    def score(self, measures: dict[str, float]) -> float:
        """The epoch of the smallest validation loss is kept."""
        return measures["validation_loss"]


@dataclass
class RecognitionTask(Task):
    """Name the action of a clip (paper, Section 5.2). Samples are clips (B, T, C, H, W) and labels (B,).

    There are no micro-batches: batch norm has to see the whole batch.
    """

    def loss(self, model: nn.Module, part: tuple[Tensor, Tensor]) -> Tensor:
        """Mean cross entropy, in float32."""
        clips, labels = part
        return F.cross_entropy(model(clips).float(), labels)

    def validate(self, model: nn.Module, world: World = SINGLE_PROCESS) -> dict[str, float]:
        """Cross entropy and accuracy over the whole validation set."""
        # the sum of cross entropies, and the number of correct predictions
        sums = torch.zeros(2, dtype=torch.float64, device=next(model.parameters()).device)
        for clips, labels in self.validation_batches(world):
            logits = model(clips).double()
            right = (logits.argmax(1) == labels).sum()
            sums += torch.stack([F.cross_entropy(logits, labels, reduction="sum"), right])
        loss, accuracy = (world.all_reduce(sums) / self.validation_sequences).tolist()
        return {"validation_loss": loss, "validation_accuracy": accuracy}

    def score(self, measures: dict[str, float]) -> float:
        """The epoch of the highest validation accuracy is kept."""
        return -measures["validation_accuracy"]
