"""A training from its task to its files."""

import csv
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import nn

from fernn.files import write_text
from fernn.models.storage import write_model
from fernn.training.loop import Fit, Settings, Task, fit

if TYPE_CHECKING:
    from fernn.training.progress import TrainingProgress


@dataclass(frozen=True)
class Workplace:
    """Where a training is done.

    Attributes:
        device: what trains.
        checkpoint: where its state is kept while it is under way.
        identity: digest of all that the result depends on; a checkpoint of another one is not taken up.
        progress: what a person sees.
        check: called before the result is written; an error there leaves it unwritten.
        may_diverge: see `fit`. It is no input of the result, since it decides no byte, but whether there is one.
    """

    device: torch.device
    checkpoint: Path
    identity: str
    progress: "TrainingProgress"
    check: Callable[[], None]
    may_diverge: bool = False


def train_to_files(
    model: nn.Module,
    kind: type[nn.Module],
    task: Task,
    settings: Settings,
    place: Workplace,
    outputs: tuple[Path, Path],
) -> Fit:
    """Train a model, or go on with it; write the weights of its best epoch, and every validation.

    Args:
        model: on the device.
        kind: its class, by which the file is read.
        task: what it is trained to do.
        settings: how.
        place: where.
        outputs: the files of the model (safetensors) and of the history (CSV).

    Returns:
        What came of it.
    """
    done = fit(model, task, settings, place.checkpoint, place.progress, place.may_diverge)
    place.check()
    write_model(model, (kind,), outputs[0], done.weights)
    text = io.StringIO()
    writer = csv.DictWriter(text, list(done.history[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(done.history)
    write_text(outputs[1], text.getvalue())
    return done
