"""Flowing MNIST: what all trainings of a predictor have in common."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from fernn.datasets.sequences import Book, Render, RenderedSequences, read_recipes
from fernn.datasets.storage import read_arrays
from fernn.training.loop import Settings
from fernn.training.prediction import PredictionTask


@dataclass(frozen=True)
class PredictorInputs:
    """What a run's result depends on, besides the sizes of its model, its code and its files.

    Attributes:
        model_flow: generators of the model.
        data_flow: velocities of the training sequences.
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

    @property
    def stream(self) -> str:
        """The name of the training sequences in the random generator."""
        return f"train/{self.data_flow}"

    def settings(self, identity: str) -> Settings:
        """How it is trained, under the digest of all that it depends on."""
        return Settings(self.learning_rate, self.epochs, self.clip_norm, self.precision, identity)


def prediction_task(
    inputs: PredictorInputs,
    book: Callable[[int], Book],
    render: Render,
    files: dict[str, Path],
    device: torch.device,
) -> PredictionTask:
    """The task of a run, with its digits and recipes on the device.

    Args:
        inputs: see there.
        book: what training sequences are drawn from, by the number of digits to choose from.
        render: makes frames of recipes.
        files: "digits" and "validation", as the plan names them.
        device: what trains.
    """
    pools, _ = read_arrays(files["digits"])
    train, held_out = pools["train"].to(device), pools["validation"].to(device)
    recipes = read_recipes(files["validation"])
    frames = inputs.seen + inputs.predicted
    return PredictionTask(
        train=RenderedSequences(render, train, frames, inputs.frame).drawn(book(len(train)), inputs.sequences),
        validation=RenderedSequences(render, held_out, frames, inputs.frame).of(recipes),
        sequences=inputs.sequences,
        validation_sequences=len(recipes),
        batch_size=inputs.batch,
        seen=inputs.seen,
        at_once=inputs.at_once,
    )
