"""Experiment C: what is measured of a trained model."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from fernn.arrays import read_arrays
from fernn.datasets.moving_clips import gather, read_clips
from fernn.evaluation.outcome import Workplace, write_outcome
from fernn.evaluation.recognition import recognition
from fernn.experiments.kth.models import Model
from fernn.models.precision import autocast
from fernn.models.storage import read_model
from fernn.training.device import prepare


@dataclass(frozen=True)
class EvaluateInputs:
    """What a run's evaluation depends on, besides its code and its files.

    Attributes:
        model: the network.
        flows: that the test clips move with, each a measure.
        frames: of a clip.
        stride: frames of the sequence between two of the clip.
        draws: of test clips, which lie one after the other in a file; 0 where there is one clip of each sequence.
        batch: clips at a time.
        precision: "float32" or "bf16".
        threads: CPU threads, 0 for all.
    """

    model: Model
    flows: tuple[str, ...]
    frames: int
    stride: int
    draws: int
    batch: int
    precision: str
    threads: int


def evaluate(inputs: EvaluateInputs, files: dict[str, Path], place: Workplace, outputs: tuple[Path, Path]) -> None:
    """Measure a trained classifier and write what came of it.

    Measures are accuracy, in all and by draw, loss, number of clips and confusion by flow. Samples are of the last
    flow, one of each action: "clip" (S, T, 1, H, W) float32, "label" (S,), "logits" (S, classes).

    Args:
        inputs: what it depends on.
        files: "model", "frames", and the test clips of each flow by its name.
        place: where it is done.
        outputs: see `write_outcome`.
    """
    prepare(place.device, inputs.threads)
    model = read_model(files["model"], (inputs.model.network,), place.device)
    arrays, _ = read_arrays(files["frames"])
    frames = arrays["frames"].to(place.device)
    measures: dict[str, Any] = {}
    samples: dict[str, Tensor] = {}
    with torch.no_grad(), autocast(place.device, inputs.precision):
        for flow in inputs.flows:
            clips = read_clips(files[flow]).to(place.device)

            def batch(first: int, count: int, clips: Any = clips) -> tuple[Tensor, Tensor]:
                part = clips[first : first + count]
                return gather(frames, part, inputs.frames, inputs.stride), part.label

            measures[flow] = asdict(recognition(model, batch, len(clips), inputs.batch, max(inputs.draws, 1)))
            of_action = [(clips.label == action).nonzero()[:, 0] for action in clips.label.unique()]
            chosen = clips[torch.stack([found[len(found) // 2] for found in of_action])]
            shown = gather(frames, chosen, inputs.frames, inputs.stride)
            samples = {"clip": shown, "label": chosen.label, "logits": model(shown).float()}
    samples = {name: value.cpu() for name, value in samples.items()}
    write_outcome(model, measures, samples, place, outputs)
