"""Experiment C: one training run."""

from dataclasses import dataclass
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

if TYPE_CHECKING:
    from fernn.params.base import Training


@dataclass(frozen=True)
class TrainInputs:
    """Everything that a run's result depends on, besides its code and its files.

    Attributes:
        model: the network.
        training: section of params.yaml.
        seed: of the run.
        learning_rate: of the run.
        frames: of a clip.
        stride: frames of the sequence between two of the clip.
        flip: chance of a left-right flip.
        data_seed: of the data set.
    """

    model: Model
    training: "Training"
    seed: int
    learning_rate: float
    frames: int
    stride: int
    flip: float
    data_seed: int


def task(inputs: TrainInputs, files: dict[str, Path], device: torch.device, world_size: int = 1) -> RecognitionTask:
    """The task of a run, with all frames on the device, that of each rank."""
    frames = read_arrays(files["frames"])[0]["frames"].to(device)
    train, validation = Clips.read(files["train"]), Clips.read(files["validation"]).to(device)
    for split, clips in (("train", train), ("validation", validation)):
        if not len(clips):
            raise FernnError(f"{files[split]} holds no clip: no sequence of its persons has the frames of one.")

    @lru_cache(maxsize=1)  # an epoch's recipes reach the device in one piece
    def of_epoch(epoch: int) -> Clips:
        stream = f"train/seed{inputs.seed}"  # each seed has places and flips of its own, as released
        return drawn_at_random(train, inputs.data_seed, stream, epoch, inputs.flip).to(device)

    def drawn(epoch: int, first: int, count: int) -> tuple[Tensor, Tensor]:
        return batches(frames, of_epoch(epoch), inputs.frames, inputs.stride)(first, count)

    return RecognitionTask(
        train=drawn,
        validation=batches(frames, validation, inputs.frames, inputs.stride),
        clips=len(train),
        validation_clips=len(validation),
        batch_size=inputs.training.batch,
    )


def train(inputs: TrainInputs, files: dict[str, Path], context: TrainingContext, outputs: tuple[Path, Path]) -> Fit:
    """Train one run, or go on with it.

    Args:
        inputs: what it depends on.
        files: "frames", "train" and "validation".
        context: of this process.
        outputs: see `train_to_files`.

    Returns:
        What came of it.
    """
    made, rates = partial(task, inputs, files), (inputs.seed, inputs.learning_rate)
    return train_to_files(inputs.model, made, inputs.training, *rates, context, outputs)
