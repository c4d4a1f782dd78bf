"""Experiment B: one training run."""

from dataclasses import dataclass
from pathlib import Path

import torch

from fernn.datasets.rotating import RecipeBook, render
from fernn.experiments.flowing_digits.training import PredictorInputs, prediction_task
from fernn.flows.rotation import Rotation
from fernn.models.rotation.predictor import RotationPredictor
from fernn.training.device import prepare
from fernn.training.outcome import Workplace, train_to_files


@dataclass(frozen=True)
class TrainInputs(PredictorInputs):
    """Everything that a run's result depends on, besides its code and its files.

    Attributes:
        degrees: the smallest turn per frame, of the model's flow and of the data's.
        fields: regular fields for each generator.
        group_order: orientations of a field.
        kernel_size: of the cell, in pixels.
        decoder_layers: hidden layers of the decoder.
        convolution: "steerable" or "dense".
        state_frame: "lab" or "co-moving", where the hidden state is kept.
    """

    degrees: float
    fields: int
    group_order: int
    kernel_size: int
    decoder_layers: int
    convolution: str
    state_frame: str


def build(inputs: TrainInputs, device: torch.device) -> RotationPredictor:
    """The untrained model: the same weights for a seed on every device."""
    torch.manual_seed(inputs.seed)
    model = RotationPredictor(
        inputs.model_flow,
        degrees=inputs.degrees,
        fields=inputs.fields,
        group_order=inputs.group_order,
        kernel_size=inputs.kernel_size,
        decoder_layers=inputs.decoder_layers,
        convolution=inputs.convolution,
        frame=inputs.state_frame,
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
    flow = Rotation.parse(inputs.data_flow, inputs.degrees)

    def book(pool: int) -> RecipeBook:
        return RecipeBook(inputs.data_seed, inputs.stream, pool, inputs.digits, flow)

    model, task = build(inputs, place.device), prediction_task(inputs, book, render, files, place.device)
    return train_to_files(model, RotationPredictor, task, inputs.settings(place.identity), place, outputs)
