"""Flowing MNIST: one training run of a predictor."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch

from fernn.arrays import read_arrays
from fernn.datasets.sequences import Recipes, RenderedSequences
from fernn.experiments.digits.motion import Motion
from fernn.training.loop import Fit
from fernn.training.memory import sequences_at_a_time
from fernn.training.outcome import Training, Workplace, train_to_files
from fernn.training.prediction import PredictionTask


@dataclass(frozen=True)
class TrainInputs(Training):
    """Everything that a run's result depends on, besides its code and its files.

    Attributes:
        motion: how digits move.
        flow: velocities of the training sequences.
        digits: in a sequence.
        frame: side of a frame in pixels.
        seen: frames shown.
        predicted: frames predicted.
        sequences: in an epoch.
        data_seed: of the data set.
        micro_batch: sequences of a batch that are computed at a time; "auto" for what fits, None for all.
    """

    motion: Motion
    flow: str
    digits: int
    frame: int
    seen: int
    predicted: int
    sequences: int
    data_seed: int
    micro_batch: int | str | None


def prediction_task(
    inputs: TrainInputs, files: dict[str, Path], device: torch.device, workers: int = 1
) -> PredictionTask:
    """The task of a run, with its digits and recipes on the device.

    Args:
        inputs: what the run depends on.
        files: "digits" and "validation".
        device: what trains.
        workers: who share a batch, each with memory of its own.
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
        batch_size=inputs.batch,
        seen=inputs.seen,
        micro_batch=sequences_at_a_time(
            inputs.micro_batch,
            -(-inputs.batch // workers),
            inputs.model.build,
            (inputs.frame, inputs.seen, inputs.predicted),
            inputs.precision,
            device,
        ),
    )


def train(inputs: TrainInputs, files: dict[str, Path], place: Workplace, outputs: tuple[Path, Path]) -> Fit:
    """Train one run, or go on with it.

    Args:
        inputs: what it depends on.
        files: "digits" and "validation".
        place: where.
        outputs: see `train_to_files`.

    Returns:
        What came of it.
    """
    return train_to_files(inputs, partial(prediction_task, inputs, files), place, outputs)
