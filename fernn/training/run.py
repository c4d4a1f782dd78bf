"""One training run: a model and a task in, the files of the best model and of the history out."""

import csv
import io
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from fernn.files import write_text
from fernn.models.storage import Model, write_model
from fernn.training.device import prepare
from fernn.training.loop import Fit, Task, TrainingContext, fit

if TYPE_CHECKING:  # what decides a result is their values, not how they are checked
    from fernn.params.base import Training


def train_to_files(
    model: Model,
    task: Callable[[torch.device, int], Task],
    training: "Training",
    seed: int,
    learning_rate: float,
    context: TrainingContext,
    outputs: tuple[Path, Path],
) -> Fit:
    """Train a model, or resume its training; write the weights of its best epoch and the history of validations.

    Args:
        model: what to build. A seed gives the same initial weights on every device.
        task: makes the task, with its data, on a device and for a world size.
        training: section of params.yaml.
        seed: of the weights, dropout, and whatever else torch draws.
        learning_rate: of Adam, constant.
        context: of this process.
        outputs: files of the model (safetensors) and of the history (CSV); rank 0 writes them.
    """
    prepare(context.device, training.threads, training.precision, training.winograd)
    torch.manual_seed(seed)
    network = model.build().to(context.device)
    environments = context.world.all_gather(context.environment())
    done = fit(network, task(context.device, context.world.size), training, learning_rate, context, environments)
    if context.world.first:
        context.check()
        write_model(network, (model.network,), outputs[0], done.weights)
        text = io.StringIO()
        writer = csv.DictWriter(text, list(done.history[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(done.history)
        write_text(outputs[1], text.getvalue())
    return done
