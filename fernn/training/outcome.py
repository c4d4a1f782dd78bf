"""A training from its task to its files."""

import csv
import io
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from fernn.files import write_text
from fernn.models.storage import Model, write_model
from fernn.training.device import prepare
from fernn.training.loop import Fit, Settings, Task, fit
from fernn.training.workers import ALONE, Workers

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
        save_every: seconds between checkpoints inside an epoch.
        workers: who shares it; each has a place of its own, and the first one writes.
        environment: gives the environment of this process, once its settings are made.
    """

    device: torch.device
    checkpoint: Path
    identity: str
    progress: "TrainingProgress"
    check: Callable[[], None]
    may_diverge: bool = False
    save_every: float = math.inf
    workers: Workers = ALONE
    environment: Callable[[], dict[str, Any]] = dict


@dataclass(frozen=True)
class Training:
    """What the result of every training depends on, besides code, files and what its experiment adds.

    Attributes:
        model: the network.
        seed: of the weights, and of what is drawn for training.
        learning_rate: of Adam.
        epochs: passes.
        batch: sequences or clips in a batch.
        clip_norm: largest norm of the gradient, or None.
        precision: see `fernn.models.precision`.
        winograd: whether convolutions may be computed as in `fernn.models.winograd`.
        threads: CPU threads, 0 for all.
        validate_every: batches between validations inside an epoch, or None.
    """

    model: Model
    seed: int
    learning_rate: float
    epochs: int
    batch: int
    clip_norm: float | None
    precision: str
    winograd: bool
    threads: int
    validate_every: int | None

    def build(self, device: torch.device) -> nn.Module:
        """The untrained model: the same weights for a seed on every device."""
        torch.manual_seed(self.seed)
        return self.model.build().to(device)


def train_to_files(
    inputs: Training, task: Callable[[torch.device, int], Task], place: Workplace, outputs: tuple[Path, Path]
) -> Fit:
    """Train a model, or go on with it; write the weights of its best epoch, and every validation.

    Args:
        inputs: what is trained, and how.
        task: what it is trained to do, with its data on a device, by so many workers.
        place: where.
        outputs: the files of the model (safetensors) and of the history (CSV).

    Returns:
        What came of it.
    """
    prepare(place.device, inputs.threads, inputs.precision, inputs.winograd)
    model = inputs.build(place.device)
    how = inputs.learning_rate, inputs.epochs, inputs.clip_norm, inputs.precision, inputs.validate_every
    settings = Settings(*how, place.identity)
    kept = place.checkpoint, place.progress, place.may_diverge, place.save_every, place.workers
    environments = place.workers.gather(place.environment())
    done = fit(model, task(place.device, place.workers.count), settings, *kept, environments)
    if not place.workers.first:
        return done
    place.check()
    write_model(model, (inputs.model.network,), outputs[0], done.weights)
    text = io.StringIO()
    writer = csv.DictWriter(text, list(done.history[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(done.history)
    write_text(outputs[1], text.getvalue())
    return done
