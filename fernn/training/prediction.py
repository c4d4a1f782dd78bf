"""Training a predictor on sequences: the mean squared error of the predicted frames."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fernn.training.distributed import SINGLE_PROCESS, World
from fernn.training.loop import Task


@dataclass
class PredictionTask(Task):
    """Predict the frames that follow (paper, Section 5.1). Samples are frames (B, T, C, H, W).

    Attributes:
        seen: frames that the model is shown; it predicts the others.
    """

    seen: int

    def parts(self, batch: Tensor) -> Iterator[tuple[float, Tensor]]:
        """The micro-batches of a shard, each with its weight in the loss of the shard."""
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
