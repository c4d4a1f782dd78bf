"""Training a classifier on clips: cross entropy, the best epoch by accuracy."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fernn.training.distributed import SINGLE_PROCESS, World
from fernn.training.loop import Task


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
        # over clips: the sum of cross entropies, and the number of correct predictions
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
