"""Flowing MNIST: one training run of a predictor."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from fernn.arrays import read_arrays
from fernn.datasets.sequences import Recipes, RenderedSequences
from fernn.experiments.digits.motion import Motion
from fernn.models.storage import Model
from fernn.training.device import sequences_at_a_time
from fernn.training.loop import Fit, TrainingContext
from fernn.training.prediction import PredictionTask
from fernn.training.run import train_to_files

if TYPE_CHECKING:
    from fernn.experiments.digits.params import DigitTraining


@dataclass(frozen=True)
class TrainInputs:
    """Everything that a run's result depends on, besides its code and its files.

    Attributes:
        model: the network.
        training: section of params.yaml.
        seed: of the run.
        learning_rate: of the run.
        motion: how digits move.
        flow: velocities of the training sequences.
        digits: in a sequence.
        frame: side of a frame in pixels.
        seen: frames shown.
        predicted: frames predicted.
        sequences: in an epoch.
        data_seed: of the data set.
    """

    model: Model
    training: "DigitTraining"
    seed: int
    learning_rate: float
    motion: Motion
    flow: str
    digits: int
    frame: int
    seen: int
    predicted: int
    sequences: int
    data_seed: int


def prediction_task(
    inputs: TrainInputs, files: dict[str, Path], device: torch.device, world_size: int = 1
) -> PredictionTask:
    """The task of a run, with its digits and recipes on the device.

    Args:
        inputs: what the run depends on.
        files: "digits" and "validation".
        device: what trains.
        world_size: ranks that share a batch, each with memory of its own.
    """
    pools, _ = read_arrays(files["digits"])
    train, held_out = pools["train"].to(device), pools["validation"].to(device)
    recipes, motion, frames = Recipes.read(files["validation"]), inputs.motion, inputs.seen + inputs.predicted
    stream = f"train/{inputs.flow}/seed{inputs.seed}"  # each seed has data of its own, as released
    sampler = motion.sampler(inputs.flow, inputs.data_seed, stream, len(train), inputs.digits)
    return PredictionTask(
        train=RenderedSequences(motion.render, train, frames, inputs.frame).drawn(sampler, inputs.sequences),
        validation=RenderedSequences(motion.render, held_out, frames, inputs.frame).of(recipes),
        sequences=inputs.sequences,
        validation_sequences=len(recipes),
        batch_size=inputs.training.batch,
        seen=inputs.seen,
        micro_batch=sequences_at_a_time(
            inputs.training.micro_batch,
            -(-inputs.training.batch // world_size),
            inputs.model.build,
            (inputs.frame, inputs.seen, inputs.predicted),
            inputs.training.precision,
            device,
        ),
    )


def train(inputs: TrainInputs, files: dict[str, Path], context: TrainingContext, outputs: tuple[Path, Path]) -> Fit:
    """Train one run, or go on with it.

    Args:
        inputs: what it depends on.
        files: "digits" and "validation".
        context: of this process.
        outputs: see `train_to_files`.

    Returns:
        What came of it.
    """
    task, rates = partial(prediction_task, inputs, files), (inputs.seed, inputs.learning_rate)
    return train_to_files(inputs.model, task, inputs.training, *rates, context, outputs)
