"""Training a predictor on sequences: the mean squared error of the predicted frames."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor, nn


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

    def batch(self, epoch: int, number: int) -> Tensor:
        """Frames (B, T, C, H, W) of one batch."""
        first = number * self.batch_size
        return self.train(epoch, first, min(self.batch_size, self.sequences - first))

    def parts(self, batch: Tensor) -> Iterator[tuple[float, Tensor]]:
        """The batch, `micro_batch` sequences at a time, each part with its share of the sequences."""
        for part in batch.split(self.micro_batch or len(batch)):
            yield len(part) / len(batch), part

    def loss(self, model: nn.Module, part: Tensor) -> Tensor:
        """Mean squared error of the predicted frames, in float32."""
        target = part[:, self.seen :]
        return F.mse_loss(model(part[:, : self.seen], target.shape[1]).float(), target)

    def validate(self, model: nn.Module) -> dict[str, float]:
        """The mean squared error over the whole validation set."""
        total = torch.zeros((), dtype=torch.float64)
        for first in range(0, self.validation_sequences, self.batch_size):
            frames = self.validation(first, min(self.batch_size, self.validation_sequences - first))
            total = total.to(frames.device) + self.loss(model, frames) * frames.shape[0]
        return {"validation_loss": total.item() / self.validation_sequences}

    def score(self, measures: dict[str, float]) -> float:
        """The epoch of the smallest validation loss is kept."""
        return measures["validation_loss"]
