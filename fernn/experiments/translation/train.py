"""Experiment A: one training run."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from fernn.datasets.storage import read_arrays
from fernn.datasets.translating import RecipeBook, RenderedSequences, read_recipes
from fernn.flows.translation import Translation
from fernn.models.predictor import FERNNPredictor
from fernn.training.loop import Fit, Settings, fit
from fernn.training.prediction import PredictionTask

if TYPE_CHECKING:
    from fernn.training.progress import TrainingProgress


@dataclass(frozen=True)
class TrainInputs:
    """Everything that a run's result depends on, besides its code and its files.

    Attributes:
        model_flow: generators of the model.
        data_flow: velocities of the training sequences.
        hidden_channels: channels for each generator.
        kernel_size: of the cell, in pixels.
        decoder_layers: hidden layers of the decoder.
        digits: in a sequence.
        frame: side of a frame in pixels.
        seen: frames shown.
        predicted: frames predicted.
        sequences: in an epoch.
        data_seed: of the data set.
        seed: of the weights.
        learning_rate: of Adam.
        epochs: passes.
        batch: sequences in a batch.
        at_once: how many of them are computed at a time, or None for all.
        clip_norm: largest norm of the gradient, or None.
        precision: "float32" or "bf16".
        threads: CPU threads, 0 for all.
    """

    model_flow: str
    data_flow: str
    hidden_channels: int
    kernel_size: int
    decoder_layers: int
    digits: int
    frame: int
    seen: int
    predicted: int
    sequences: int
    data_seed: int
    seed: int
    learning_rate: float
    epochs: int
    batch: int
    at_once: int | None
    clip_norm: float | None
    precision: str
    threads: int


def build(inputs: TrainInputs, device: torch.device) -> FERNNPredictor:
    """The untrained model: the same weights for a seed on every device."""
    torch.manual_seed(inputs.seed)
    model = FERNNPredictor(
        inputs.model_flow,
        hidden_channels=inputs.hidden_channels,
        kernel_size=inputs.kernel_size,
        decoder_layers=inputs.decoder_layers,
    )
    return model.to(device)


def task(inputs: TrainInputs, digits: Path, validation: Path, device: torch.device) -> PredictionTask:
    """The task of a run, with its digits and validation recipes on the device."""
    pools, _ = read_arrays(digits)
    train, held_out = pools["train"].to(device), pools["validation"].to(device)
    recipes = read_recipes(validation)
    flow = Translation.parse(inputs.data_flow)
    book = RecipeBook(inputs.data_seed, f"train/{flow.name}", len(train), inputs.digits, inputs.frame, flow)
    frames = inputs.seen + inputs.predicted
    return PredictionTask(
        train=RenderedSequences(train, frames, inputs.frame).drawn(book, inputs.sequences),
        validation=RenderedSequences(held_out, frames, inputs.frame).of(recipes),
        sequences=inputs.sequences,
        validation_sequences=len(recipes),
        batch_size=inputs.batch,
        seen=inputs.seen,
        at_once=inputs.at_once,
    )


def train(
    inputs: TrainInputs,
    identity: str,
    files: dict[str, Path],
    checkpoint: Path,
    device: torch.device,
    progress: "TrainingProgress",
) -> tuple[FERNNPredictor, Fit]:
    """Train one run, or go on with it.

    Args:
        inputs: see there.
        identity: digest of the inputs, the code and the files.
        files: "digits" and "validation", as the plan names them.
        checkpoint: where its state is kept while it is under way.
        device: what trains.
        progress: what a person sees.
    """
    model = build(inputs, device)
    settings = Settings(inputs.learning_rate, inputs.epochs, inputs.clip_norm, inputs.precision, identity)
    return model, fit(model, task(inputs, files["digits"], files["validation"], device), settings, checkpoint, progress)
