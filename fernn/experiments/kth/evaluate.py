"""Experiment C: what is measured of a trained model."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

from fernn.arrays import read_arrays
from fernn.datasets.moving_clips import Clips, batches, gather
from fernn.evaluation.outcome import Evaluation, Measures, Workplace, evaluate_to_files
from fernn.evaluation.recognition import measure_recognition


@dataclass(frozen=True)
class EvaluateInputs(Evaluation):
    """What a run's evaluation depends on, besides its code and its files.

    Attributes:
        flows: that the test clips move with, each a measure.
        frames: of a clip.
        stride: frames of the sequence between two of the clip.
        draws: of test clips, which lie one after the other in a file; 0 where there is one clip of each sequence.
    """

    flows: tuple[str, ...]
    frames: int
    stride: int
    draws: int


def evaluate(inputs: EvaluateInputs, files: dict[str, Path], place: Workplace, outputs: tuple[Path, Path]) -> None:
    """Measure a trained classifier and write its results.

    A test is the clips that move with one flow; `measure_recognition` lists its measures. Samples are of the last flow,
    one of each action: "clip" (S, T, 1, H, W) float32, "label" (S,), "logits" (S, classes).

    Args:
        inputs: what it depends on.
        files: "model", "frames", and the test clips of each flow by its name.
        place: where it is done.
        outputs: see `evaluate_to_files`.
    """
    evaluate_to_files(inputs, files["model"], partial(_measure, inputs, files, place), place, outputs)


def _measure(
    inputs: EvaluateInputs, files: dict[str, Path], place: Workplace, model: nn.Module
) -> tuple[dict[str, Measures], dict[str, Tensor]]:
    arrays, about = read_arrays(files["frames"])
    frames, actions, draws = arrays["frames"].to(place.device), about["actions"], max(inputs.draws, 1)
    measures: dict[str, Measures] = {}
    samples: dict[str, Tensor] = {}
    for flow in inputs.flows:
        clips = Clips.read(files[flow]).to(place.device)
        batch = batches(frames, clips, inputs.frames, inputs.stride)
        measures[flow] = measure_recognition(model, batch, len(clips), inputs.batch, actions, draws)
        of_action = [(clips.label == action).nonzero()[:, 0] for action in clips.label.unique()]
        chosen = clips[torch.stack([found[len(found) // 2] for found in of_action])]
        shown = gather(frames, chosen, inputs.frames, inputs.stride)
        samples = {"clip": shown, "label": chosen.label, "logits": model(shown).float()}
    return measures, samples
