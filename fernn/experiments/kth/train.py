"""Experiment C: one training run of a classifier."""

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from fernn.arrays import read_arrays
from fernn.datasets.moving_clips import Clips, batches, drawn_at_random
from fernn.errors import FernnError
from fernn.models.storage import Model
from fernn.training.loop import Fit, TrainingContext, train_to_files
from fernn.training.tasks import RecognitionTask

if TYPE_CHECKING:  # what decides a result is their values, not how they are checked
    from fernn.experiments.kth.params import KthData
    from fernn.params.base import Training


def train(
    files: dict[str, Path],
    context: TrainingContext,
    outputs: tuple[Path, Path],
    *,
    model: Model,
    seed: int,
    learning_rate: float,
    data: "KthData",
    training: "Training",
) -> Fit:
    """Train a classifier on "frames", "train" and "validation", or resume its training; see `train_to_files`.

    `seed` is of the weights, and of the places and flips of the training clips; `data` are `frames`, `stride`, `flip`
    and `seed` of the section of params.yaml. FernnError if a split has no clip, too.
    """

    def task(device: torch.device, world_size: int) -> RecognitionTask:
        """The task with all frames on a device, that of each rank."""
        frames = read_arrays(files["frames"])[0]["frames"].to(device)
        clips, validation = Clips.read(files["train"]), Clips.read(files["validation"]).to(device)
        for split, found in (("train", clips), ("validation", validation)):
            if not len(found):
                raise FernnError(f"{files[split]} holds no clip: no sequence of its persons has the frames of one.")

        @lru_cache(maxsize=1)  # an epoch's recipes reach the device in one piece
        def of_epoch(epoch: int) -> Clips:
            stream = f"train/seed{seed}"  # each seed has places and flips of its own, as released
            return drawn_at_random(clips, data.seed, stream, epoch, data.flip).to(device)

        def drawn(epoch: int, first: int, count: int) -> tuple[Tensor, Tensor]:
            return batches(frames, of_epoch(epoch), data.frames, data.stride)(first, count)

        return RecognitionTask(
            train=drawn,
            validation=batches(frames, validation, data.frames, data.stride),
            sequences=len(clips),
            validation_sequences=len(validation),
            batch_size=training.batch,
        )

    return train_to_files(model, task, training, seed, learning_rate, context, outputs)
