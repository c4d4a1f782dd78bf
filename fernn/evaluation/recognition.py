"""How well a classifier recognizes: accuracy, loss, and which action is taken for which."""

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fernn.evaluation import Measures


def measure_recognition(
    model: nn.Module,
    clips: Callable[[int, int], tuple[Tensor, Tensor]],
    count: int,
    batch: int,
    actions: Sequence[str],
    draws: int = 1,
) -> Measures:
    """Measure a classifier; call it under `torch.no_grad` and the autocast of the wanted precision.

    Args:
        model: gives logits (B, classes) of clips (B, T, C, H, W); in evaluation mode.
        clips: clips and labels (B,) of first ... first + count - 1, as clips(first, count).
        count: number of clips.
        batch: how many at a time.
        actions: names of the classes.
        draws: how many sets of clips of one size these are, one after the other.

    Returns:
        `accuracy`, the share of clips classified correctly, over all and by draw, from 1; `loss`, the mean cross
        entropy; `clips`, their number; `confusion`, counts by true and predicted action, such as "boxing walking".
    """
    every_logits, every_label = [], []
    for first in range(0, count, batch):
        shown, labels = clips(first, min(batch, count - first))
        every_logits.append(model(shown).float())
        every_label.append(labels)
    logits, labels = torch.cat(every_logits), torch.cat(every_label)
    classes, named = len(actions), logits.argmax(1)
    pairs = torch.bincount(labels * classes + named, minlength=classes * classes).view(classes, classes)
    found: Measures = {
        ("clips", ""): count,
        ("accuracy", ""): pairs.diagonal().sum().item() / count,
        ("loss", ""): F.cross_entropy(logits.double(), labels).item(),
    }
    by_draw = (named == labels).view(draws, -1).double().mean(1).tolist()
    found |= {("accuracy", str(draw)): value for draw, value in enumerate(by_draw, 1)}
    for action, row in zip(actions, pairs.tolist(), strict=True):
        found |= {("confusion", f"{action} {taken}"): value for taken, value in zip(actions, row, strict=True)}
    return found
