"""Training a classifier on clips: cross entropy, the best epoch by accuracy."""

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fernn.training.distributed import SINGLE_PROCESS, World


@dataclass
class RecognitionTask:
    """Name the action of a clip (paper, Section 5.2). A `Task` of the training loop.

    Attributes:
        train: clips (B, T, C, H, W) and labels (B,) of training clips first ... first + count - 1 of an epoch, called
            as train(epoch, first, count).
        validation: the same for validation clips, called as validation(first, count).
        clips: training clips of an epoch; those that fill no whole batch make a smaller last one.
        validation_clips: number of them.
        batch_size: clips of a batch, all computed at once: batch norm sees them.
    """

    train: Callable[[int, int, int], tuple[Tensor, Tensor]]
    validation: Callable[[int, int], tuple[Tensor, Tensor]]
    clips: int
    validation_clips: int
    batch_size: int
    batches: int = field(init=False)
    micro_batch: int | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self.batches = -(-self.clips // self.batch_size)

    def size(self, number: int) -> int:
        """Clips of a batch."""
        return min(self.batch_size, self.clips - number * self.batch_size)

    def batch(self, epoch: int, number: int, world: World = SINGLE_PROCESS) -> tuple[Tensor, Tensor]:
        """Clips (B, T, C, H, W) and labels (B,) of one batch, or of a rank's shard of it."""
        first, count = world.shard(self.size(number))
        return self.train(epoch, number * self.batch_size + first, count)

    def parts(self, batch: tuple[Tensor, Tensor]) -> list[tuple[float, tuple[Tensor, Tensor]]]:
        """All in one piece: batch norm sees the whole batch."""
        return [(1.0, batch)]

    def loss(self, model: nn.Module, part: tuple[Tensor, Tensor]) -> Tensor:
        """Mean cross entropy, in float32."""
        clips, labels = part
        return F.cross_entropy(model(clips).float(), labels)

    def validate(self, model: nn.Module, world: World = SINGLE_PROCESS) -> dict[str, float]:
        """Cross entropy and accuracy over the whole validation set, of which each rank takes some batches."""
        # of clips: their cross entropies added up, and how many are named rightly
        sums = torch.zeros(2, dtype=torch.float64, device=next(model.parameters()).device)
        for first in range(0, self.validation_clips, self.batch_size)[world.rank :: world.size]:
            clips, labels = self.validation(first, min(self.batch_size, self.validation_clips - first))
            logits = model(clips).double()
            right = (logits.argmax(1) == labels).sum()
            sums += torch.stack([F.cross_entropy(logits, labels, reduction="sum"), right])
        loss, accuracy = (world.all_reduce(sums) / self.validation_clips).tolist()
        return {"validation_loss": loss, "validation_accuracy": accuracy}

    def score(self, measures: dict[str, float]) -> float:
        """The epoch of the highest validation accuracy is kept."""
        return -measures["validation_accuracy"]
