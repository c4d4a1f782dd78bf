"""Experiment A: one training run."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from fernn.datasets.translating import RecipeBook, render
from fernn.experiments.flowing_digits.training import PredictorInputs, prediction_task
from fernn.flows.translation import Translation
from fernn.models.predictor import FERNNPredictor
from fernn.training.loop import Fit, fit

if TYPE_CHECKING:
    from fernn.training.progress import TrainingProgress


@dataclass(frozen=True)
class TrainInputs(PredictorInputs):
    """Everything that a run's result depends on, besides its code and its files.

    Attributes:
        hidden_channels: channels for each generator.
        kernel_size: of the cell, in pixels.
        decoder_layers: hidden layers of the decoder.
    """

    hidden_channels: int
    kernel_size: int
    decoder_layers: int


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
    flow = Translation.parse(inputs.data_flow)

    def book(pool: int) -> RecipeBook:
        return RecipeBook(inputs.data_seed, inputs.stream, pool, inputs.digits, inputs.frame, flow)

    model, task = build(inputs, device), prediction_task(inputs, book, render, files, device)
    return model, fit(model, task, inputs.settings(identity), checkpoint, progress)
