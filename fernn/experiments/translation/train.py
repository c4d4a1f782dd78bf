"""Experiment A: one training run."""

from dataclasses import dataclass
from pathlib import Path

import torch

from fernn.datasets.translating import RecipeBook, render
from fernn.experiments.flowing_digits.training import PredictorInputs, prediction_task
from fernn.flows.translation import Translation
from fernn.models.predictor import FERNNPredictor
from fernn.training.device import prepare
from fernn.training.outcome import Workplace, train_to_files


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


def train(inputs: TrainInputs, files: dict[str, Path], place: Workplace, outputs: tuple[Path, Path]) -> int:
    """Train one run, or go on with it.

    Args:
        inputs: what it depends on.
        files: "digits" and "validation", as the plan names them.
        place: where.
        outputs: see `train_to_files`.

    Returns:
        The best epoch, from 1.
    """
    prepare(place.device, inputs.threads)
    flow = Translation.parse(inputs.data_flow)

    def book(pool: int) -> RecipeBook:
        return RecipeBook(inputs.data_seed, inputs.stream, pool, inputs.digits, inputs.frame, flow)

    model, task = build(inputs, place.device), prediction_task(inputs, book, render, files, place.device)
    return train_to_files(model, FERNNPredictor, task, inputs.settings(place.identity), place, outputs)
