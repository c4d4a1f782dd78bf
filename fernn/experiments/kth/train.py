"""Experiment C: one training run."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from fernn.arrays import read_arrays
from fernn.datasets.moving_clips import Clips, drawn_at_random, gather, read_clips
from fernn.errors import FernnError
from fernn.experiments.kth.models import Model
from fernn.training.device import prepare
from fernn.training.loop import Fit, Settings
from fernn.training.outcome import Workplace, train_to_files
from fernn.training.recognition import RecognitionTask


@dataclass(frozen=True)
class TrainInputs:
    """Everything that a run's result depends on, besides its code and its files.

    Attributes:
        model: the network.
        frames: of a clip.
        stride: frames of the sequence between two of the clip.
        flip: chance of a left-right flip.
        data_seed: of the data set.
        seed: of the weights, and of what is drawn at each epoch.
        learning_rate: of Adam.
        epochs: passes.
        batch: clips in a batch.
        clip_norm: largest norm of the gradient, or None.
        precision: "float32" or "bf16".
        threads: CPU threads, 0 for all.
        validate_every: batches between validations inside an epoch, or None.
    """

    model: Model
    frames: int
    stride: int
    flip: float
    data_seed: int
    seed: int
    learning_rate: float
    epochs: int
    batch: int
    clip_norm: float | None
    precision: str
    threads: int
    validate_every: int | None


def build(inputs: TrainInputs, device: torch.device) -> nn.Module:
    """The untrained model: the same weights for a seed on every device."""
    torch.manual_seed(inputs.seed)
    return inputs.model.build().to(device)


def task(inputs: TrainInputs, files: dict[str, Path], device: torch.device) -> RecognitionTask:
    """The task of a run, with all frames on the device."""
    arrays, _ = read_arrays(files["frames"])
    frames = arrays["frames"].to(device)
    train, validation = read_clips(files["train"]), read_clips(files["validation"]).to(device)
    for split, clips in (("train", train), ("validation", validation)):
        if not len(clips):
            raise FernnError(f"{files[split]} holds no clip: no sequence of its persons has the frames of one.")
    held: dict[int, Clips] = {}

    def drawn(epoch: int, first: int, count: int) -> tuple[Tensor, Tensor]:
        if epoch not in held:  # an epoch's recipes reach the device in one piece
            held.clear()
            stream = f"train/seed{inputs.seed}"  # each seed has places and flips of its own, as released
            held[epoch] = drawn_at_random(train, inputs.data_seed, stream, epoch, inputs.flip).to(device)
        return _batch(frames, held[epoch][first : first + count], inputs)

    return RecognitionTask(
        train=drawn,
        validation=fixed(frames, validation, inputs),
        clips=len(train),
        validation_clips=len(validation),
        batch_size=inputs.batch,
    )


def fixed(frames: Tensor, clips: Clips, inputs: TrainInputs) -> Callable[[int, int], tuple[Tensor, Tensor]]:
    """Clips that lie where they lie: a function of (first, count) that gives clips and labels."""
    return lambda first, count: _batch(frames, clips[first : first + count], inputs)


def train(inputs: TrainInputs, files: dict[str, Path], place: Workplace, outputs: tuple[Path, Path]) -> Fit:
    """Train one run, or go on with it.

    Args:
        inputs: what it depends on.
        files: "frames", "train" and "validation".
        place: where.
        outputs: see `train_to_files`.

    Returns:
        What came of it.
    """
    prepare(place.device, inputs.threads)
    model = build(inputs, place.device)
    settings = Settings(
        inputs.learning_rate,
        inputs.epochs,
        inputs.clip_norm,
        inputs.precision,
        inputs.validate_every,
        place.identity,
    )
    return train_to_files(model, inputs.model.network, task(inputs, files, place.device), settings, place, outputs)


def _batch(frames: Tensor, clips: Clips, inputs: TrainInputs) -> tuple[Tensor, Tensor]:
    return gather(frames, clips, inputs.frames, inputs.stride), clips.label
