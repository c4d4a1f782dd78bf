"""Experiment C: one training run of a classifier."""

from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from fernn.arrays import read_arrays
from fernn.datasets.moving_clips import Clips, batches, drawn_at_random
from fernn.errors import FernnError
from fernn.models.storage import Model
from fernn.training.loop import Fit, TrainingContext
from fernn.training.recognition import RecognitionTask
from fernn.training.run import train_to_files

if TYPE_CHECKING:  # what decides a result is their values, not how they are checked
    from fernn.experiments.kth.params import KthData
    from fernn.params.base import Training


def recognition_task(
    files: dict[str, Path],
    device: torch.device,
    world_size: int = 1,
    *,
    seed: int,
    data: "KthData",
    training: "Training",
) -> RecognitionTask:
    """The task of a run, with all frames on the device, that of each rank; see `train` for the other arguments."""
    frames = read_arrays(files["frames"])[0]["frames"].to(device)
    train, validation = Clips.read(files["train"]), Clips.read(files["validation"]).to(device)
    for split, clips in (("train", train), ("validation", validation)):
        if not len(clips):
            raise FernnError(f"{files[split]} holds no clip: no sequence of its persons has the frames of one.")

    @lru_cache(maxsize=1)  # an epoch's recipes reach the device in one piece
    def of_epoch(epoch: int) -> Clips:
        stream = f"train/seed{seed}"  # each seed has places and flips of its own, as released
        return drawn_at_random(train, data.seed, stream, epoch, data.flip).to(device)

    def drawn(epoch: int, first: int, count: int) -> tuple[Tensor, Tensor]:
        return batches(frames, of_epoch(epoch), data.frames, data.stride)(first, count)

    return RecognitionTask(
        train=drawn,
        validation=batches(frames, validation, data.frames, data.stride),
        sequences=len(train),
        validation_sequences=len(validation),
        batch_size=training.batch,
    )


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
    """Train a classifier, or resume its training.

    Args:
        files: "frames", "train" and "validation".
        context: of this process.
        outputs: the files of the model and of the history.
        model: the network.
        seed: of the weights, and of the places and flips of the training clips.
        learning_rate: of Adam.
        data: `frames`, `stride`, `flip` and `seed` of the section of params.yaml.
        training: the section of params.yaml.
    """
    task = partial(recognition_task, files, seed=seed, data=data, training=training)
    return train_to_files(model, task, training, seed, learning_rate, context, outputs)
