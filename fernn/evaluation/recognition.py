"""How well a classifier recognizes: accuracy, loss, and which action is taken for which."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn


@dataclass(frozen=True)
class Recognition:
    """Share of clips named rightly, mean cross entropy, number of clips, and counts by (true action, named action).

    `draws` has the share for each draw of the clips.
    """

    accuracy: float
    loss: float
    clips: int
    confusion: list[list[int]]
    draws: list[float]


def recognition(
    model: nn.Module, clips: Callable[[int, int], tuple[Tensor, Tensor]], count: int, batch: int, draws: int = 1
) -> Recognition:
    """Measure a classifier; call it under `torch.no_grad` and the autocast of the wanted precision.

    Args:
        model: gives logits (B, classes) of clips (B, T, C, H, W); in evaluation mode.
        clips: clips and labels (B,) of first ... first + count - 1, as clips(first, count).
        count: number of clips.
        batch: how many at a time.
        draws: how many sets of clips of one size these are, one after the other.
    """
    every_logits, every_label = [], []
    for first in range(0, count, batch):
        shown, labels = clips(first, min(batch, count - first))
        every_logits.append(model(shown).float())
        every_label.append(labels)
    logits, labels = torch.cat(every_logits), torch.cat(every_label)
    classes = logits.shape[1]
    named = logits.argmax(1)
    pairs = torch.bincount(labels * classes + named, minlength=classes * classes).view(classes, classes)
    return Recognition(
        accuracy=pairs.diagonal().sum().item() / count,
        loss=F.cross_entropy(logits.double(), labels).item(),
        clips=count,
        confusion=pairs.tolist(),
        draws=(named == labels).view(draws, -1).double().mean(1).tolist(),
    )
