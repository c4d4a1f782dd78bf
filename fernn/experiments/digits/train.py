"""Flowing MNIST: one training run of a predictor."""

from pathlib import Path
from typing import TYPE_CHECKING

import torch

from fernn.arrays import read_arrays
from fernn.datasets.sequences import Motion, Recipes, RenderedSequences
from fernn.models.storage import Model
from fernn.training.device import sequences_at_a_time
from fernn.training.loop import Fit, TrainingContext, train_to_files
from fernn.training.tasks import PredictionTask

if TYPE_CHECKING:  # what decides a result is their values, not how they are checked
    from fernn.experiments.digits.params import DigitData, DigitTraining


def train(
    files: dict[str, Path],
    context: TrainingContext,
    outputs: tuple[Path, Path],
    *,
    model: Model,
    motion: Motion,
    flow: str,
    seed: int,
    learning_rate: float,
    data: "DigitData",
    training: "DigitTraining",
) -> Fit:
    """Train a predictor on the files "digits" and "validation", or resume its training; see `train_to_files`.

    `flow` has the velocities of the training sequences; `seed` is of the weights and of these sequences. `data` are
    `digits`, `frame`, `seen`, `predicted`, `train` and `seed` of the section of params.yaml.
    """

    def task(device: torch.device, world_size: int) -> PredictionTask:
        """The task with its digits and recipes on a device; `micro_batch` is of one rank's share of a batch."""
        pools, _ = read_arrays(files["digits"])
        digits, held_out = pools["train"].to(device), pools["validation"].to(device)
        recipes, frames = Recipes.read(files["validation"]), data.seen + data.predicted
        stream = f"train/{flow}/seed{seed}"  # each seed has data of its own, as released
        sampler = motion.sampler(flow, data.seed, stream, len(digits), data.digits)
        return PredictionTask(
            train=RenderedSequences(motion.render, digits, frames, data.frame).drawn(sampler, data.train),
            validation=RenderedSequences(motion.render, held_out, frames, data.frame).of(recipes),
            sequences=data.train,
            validation_sequences=len(recipes),
            batch_size=training.batch,
            seen=data.seen,
            micro_batch=sequences_at_a_time(
                training.micro_batch,
                -(-training.batch // world_size),
                model.build,
                (data.frame, data.seen, data.predicted),
                training.precision,
                device,
            ),
        )

    return train_to_files(model, task, training, seed, learning_rate, context, outputs)
