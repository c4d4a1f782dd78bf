"""Flowing MNIST: one training run of a predictor."""

from dataclasses import dataclass
from pathlib import Path

import torch

from fernn.arrays import read_arrays
from fernn.datasets.sequences import RenderedSequences, read_recipes
from fernn.experiments.digits.motion import Model, Motion
from fernn.training.device import prepare
from fernn.training.loop import Fit, Settings
from fernn.training.outcome import Workplace, train_to_files
from fernn.training.prediction import PredictionTask


@dataclass(frozen=True)
class TrainInputs:
    """Everything that a run's result depends on, besides its code and its files.

    Attributes:
        model: the network.
        motion: how digits move.
        flow: velocities of the training sequences.
        digits: in a sequence.
        frame: side of a frame in pixels.
        seen: frames shown.
        predicted: frames predicted.
        sequences: in an epoch.
        data_seed: of the data set.
        seed: of the weights, and of the sequences that are drawn for training.
        learning_rate: of Adam.
        epochs: passes.
        batch: sequences in a batch.
        micro_batch: how many of them are computed at a time, or None for all.
        clip_norm: largest norm of the gradient, or None.
        precision: "float32" or "bf16".
        threads: CPU threads, 0 for all.
        validate_every: batches between validations inside an epoch, or None.
    """

    model: Model
    motion: Motion
    flow: str
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
    micro_batch: int | None
    clip_norm: float | None
    precision: str
    threads: int
    validate_every: int | None


def build(inputs: TrainInputs, device: torch.device) -> torch.nn.Module:
    """The untrained model: the same weights for a seed on every device."""
    torch.manual_seed(inputs.seed)
    return inputs.model.build().to(device)


def prediction_task(inputs: TrainInputs, files: dict[str, Path], device: torch.device) -> PredictionTask:
    """The task of a run, with its digits and recipes on the device.

    Args:
        inputs: what the run depends on.
        files: "digits" and "validation".
        device: what trains.
    """
    pools, _ = read_arrays(files["digits"])
    train, held_out = pools["train"].to(device), pools["validation"].to(device)
    recipes, motion, frames = read_recipes(files["validation"]), inputs.motion, inputs.seen + inputs.predicted
    stream = f"train/{inputs.flow}/seed{inputs.seed}"  # each seed has data of its own, as released
    sampler = motion.sampler(inputs.flow, inputs.data_seed, stream, len(train), inputs.digits)
    return PredictionTask(
        train=RenderedSequences(motion.render, train, frames, inputs.frame).drawn(sampler, inputs.sequences),
        validation=RenderedSequences(motion.render, held_out, frames, inputs.frame).of(recipes),
        sequences=inputs.sequences,
        validation_sequences=len(recipes),
        batch_size=inputs.batch,
        seen=inputs.seen,
        micro_batch=inputs.micro_batch,
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
    prepare(place.device, inputs.threads)
    model, task = build(inputs, place.device), prediction_task(inputs, files, place.device)
    settings = Settings(
        inputs.learning_rate,
        inputs.epochs,
        inputs.clip_norm,
        inputs.precision,
        inputs.validate_every,
        place.identity,
    )
    return train_to_files(model, inputs.model.network, task, settings, place, outputs)
