"""Training a predictor on sequences: the mean squared error of the predicted frames."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fernn.training.distributed import SINGLE_PROCESS, World


@dataclass
class PredictionTask:
    """Predict the frames that follow (paper, Section 5.1). A `Task` of the training loop.

    Attributes:
        train: frames (B, T, C, H, W) of training sequences first ... first + count - 1 of an epoch, called as
            train(epoch, first, count).
        validation: the same for validation sequences, as validation(first, count).
        sequences: training sequences of an epoch; those that fill no whole batch make a smaller last one.
        validation_sequences: number of them.
        batch_size: sequences of a batch.
        micro_batch: how many of them are computed at a time, which bounds the memory of a step; None: all.
        seen: frames that the model is shown; it predicts the others.
    """

    train: Callable[[int, int, int], Tensor]
    validation: Callable[[int, int], Tensor]
    sequences: int
    validation_sequences: int
    batch_size: int
    seen: int
    micro_batch: int | None = None
    batches: int = field(init=False)

    def __post_init__(self) -> None:
        self.batches = -(-self.sequences // self.batch_size)

    def size(self, number: int) -> int:
        """Sequences of a batch."""
        return min(self.batch_size, self.sequences - number * self.batch_size)

    def batch(self, epoch: int, number: int, world: World = SINGLE_PROCESS) -> Tensor:
        """Frames (B, T, C, H, W) of one batch, or of a rank's shard of it."""
        first, count = world.shard(self.size(number))
        return self.train(epoch, number * self.batch_size + first, count)

    def parts(self, batch: Tensor) -> Iterator[tuple[float, Tensor]]:
        """These sequences, `micro_batch` at a time, each part with its share of them."""
        for part in batch.split(self.micro_batch or len(batch)):
            yield len(part) / len(batch), part

    def loss(self, model: nn.Module, part: Tensor) -> Tensor:
        """Mean squared error of the predicted frames, in float32."""
        target = part[:, self.seen :]
        return F.mse_loss(model(part[:, : self.seen], target.shape[1]).float(), target)

    def validate(self, model: nn.Module, world: World = SINGLE_PROCESS) -> dict[str, float]:
        """The mean squared error over the whole validation set, of which each rank takes some batches."""
        total = torch.zeros((), dtype=torch.float64, device=next(model.parameters()).device)
        for first in range(0, self.validation_sequences, self.batch_size)[world.rank :: world.size]:
            frames = self.validation(first, min(self.batch_size, self.validation_sequences - first))
            total += self.loss(model, frames) * frames.shape[0]
        return {"validation_loss": world.all_reduce(total).item() / self.validation_sequences}

    def score(self, measures: dict[str, float]) -> float:
        """The epoch of the smallest validation loss is kept."""
        return measures["validation_loss"]
