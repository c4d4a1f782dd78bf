"""A small training of every model, with the batches that the pipeline makes."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor, nn

from fernn.datasets import rotating, translating
from fernn.datasets.moving_clips import Clips, batches, drawn_at_random, select_clips
from fernn.datasets.rotating import RotationSampler
from fernn.datasets.sequences import Render, RenderedSequences, Sampler
from fernn.datasets.translating import TranslationSampler
from fernn.flows import Rotation, Translation
from fernn.models import CNN3D, FERNNClassifier, FERNNPredictor, GRNNPlusClassifier, GRNNPredictor, RotationPredictor
from fernn.training.loop import Task
from fernn.training.prediction import PredictionTask
from fernn.training.recognition import RecognitionTask

SIDE, SEEN, FRAMES, BATCH, BATCHES = 10, 3, 5, 4, 4
TURNS = Rotation(1, 30)


def random_bytes(*shape: int) -> Tensor:
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


TRANSLATIONS = TranslationSampler(42, "train", 10, 2, SIDE, Translation(1))
ROTATIONS = RotationSampler(42, "train", 10, 2, TURNS)


def prediction(render: Render, sampler: Sampler, device: torch.device, batches: int = BATCHES) -> PredictionTask:
    """Sequences of two digits, half a batch at a time."""
    rendered = RenderedSequences(render, random_bytes(10, 8, 8).to(device), FRAMES, SIDE)
    return PredictionTask(
        train=rendered.drawn(sampler, BATCH * batches),
        validation=rendered.of(sampler.draw(BATCH, epoch=99)),
        sequences=BATCH * batches,
        validation_sequences=BATCH,
        batch_size=BATCH,
        seen=SEEN,
        micro_batch=BATCH // 2,
    )


def clips_of(count: int) -> Clips:
    """Moving clips, one from each of some sequences of 20 frames."""
    each = torch.arange(count)
    index = {"person": each % 3 + 1, "label": each % 6, "length": torch.full((count,), 20), "offset": 20 * each}
    return select_clips(index, [1, 2, 3], FRAMES, 2, Translation(1), 42)


def recognition(device: torch.device, batches_of_epoch: int = BATCHES) -> RecognitionTask:
    """Clips from random places, some of them flipped."""
    clips = clips_of(BATCH * batches_of_epoch)
    frames = random_bytes(20 * len(clips), SIDE, SIDE).to(device)

    @lru_cache(maxsize=1)  # as the pipeline has it
    def of_epoch(epoch: int) -> Clips:
        return drawn_at_random(clips, 42, "train", epoch, flip=0.5).to(device)

    return RecognitionTask(
        train=lambda epoch, first, count: batches(frames, of_epoch(epoch), FRAMES, 2)(first, count),
        validation=batches(frames, clips.to(device), FRAMES, 2),
        sequences=len(clips),
        validation_sequences=BATCH,
        batch_size=BATCH,
    )


@dataclass(frozen=True)
class Problem:
    """A model, and its task on a device with some batches in an epoch."""

    network: Callable[[], nn.Module]
    task: Callable[[torch.device, int], Task]

    def model(self, device: torch.device) -> nn.Module:
        """The same weights on every device."""
        torch.manual_seed(0)
        return self.network().to(device)


def translation(network: Callable[[], nn.Module]) -> Problem:
    return Problem(network, lambda device, batches: prediction(translating.render, TRANSLATIONS, device, batches))


def rotation(convolution: str, frame: str) -> Problem:
    sizes = {"fields": 2, "group_order": 12, "decoder_layers": 1}
    return Problem(
        lambda: RotationPredictor(TURNS, **sizes, convolution=convolution, frame=frame),
        lambda device, batches: prediction(rotating.render, ROTATIONS, device, batches),
    )


def action(network: Callable[[], nn.Module]) -> Problem:
    return Problem(network, recognition)


STEM = {"stem_channels": [3, 4], "stem_kernels": [5, 3]}
PROBLEMS = {
    "A, FERNN": translation(lambda: FERNNPredictor("V1T", hidden_channels=4, decoder_layers=2)),
    "A, G-RNN": translation(lambda: GRNNPredictor(hidden_channels=4, decoder_layers=2)),
    "B, steerable": rotation("steerable", "lab"),
    "B, dense": rotation("dense", "lab"),
    "B, co-moving": rotation("steerable", "co-moving"),
    "C, FERNN": action(lambda: FERNNClassifier("V1T", **STEM)),
    "C, G-RNN+": action(lambda: GRNNPlusClassifier("V1T", **STEM)),
    "C, 3D-CNN": action(lambda: CNN3D(base=2)),
}
