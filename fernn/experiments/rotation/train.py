"""Experiment B: one training run."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from fernn.datasets.rotating import RecipeBook, render
from fernn.experiments.flowing_digits.training import PredictorInputs, prediction_task
from fernn.flows.rotation import Rotation
from fernn.models.rotation.predictor import RotationPredictor
from fernn.training.loop import Fit, fit

if TYPE_CHECKING:
    from fernn.training.progress import TrainingProgress


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


def train(
    inputs: TrainInputs,
    identity: str,
    files: dict[str, Path],
    checkpoint: Path,
    device: torch.device,
    progress: "TrainingProgress",
) -> tuple[RotationPredictor, Fit]:
    """Train one run, or go on with it.

    Args:
        inputs: see there.
        identity: digest of the inputs, the code and the files.
        files: "digits" and "validation", as the plan names them.
        checkpoint: where its state is kept while it is under way.
        device: what trains.
        progress: what a person sees.
    """
    flow = Rotation.parse(inputs.data_flow, inputs.degrees)

    def book(pool: int) -> RecipeBook:
        return RecipeBook(inputs.data_seed, inputs.stream, pool, inputs.digits, flow)

    model, task = build(inputs, device), prediction_task(inputs, book, render, files, device)
    return model, fit(model, task, inputs.settings(identity), checkpoint, progress)
