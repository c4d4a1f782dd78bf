"""Experiment C: what is measured of a trained model."""

from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from fernn.arrays import read_arrays
from fernn.datasets.moving_clips import Clips, batches, gather
from fernn.evaluation import Measures
from fernn.evaluation.outcome import Workplace, evaluate_to_files
from fernn.evaluation.recognition import measure_recognition
from fernn.models.storage import Model

if TYPE_CHECKING:
    from fernn.experiments.kth.params import KthData
    from fernn.params.base import Training


def evaluate(
    files: dict[str, Path],
    place: Workplace,
    outputs: tuple[Path, Path],
    *,
    model: Model,
    flows: list[str],
    data: "KthData",
    training: "Training",
) -> None:
    """Measure a trained classifier and write its results.

    A test is the clips that move with one flow; `measure_recognition` lists its measures. Samples are of the last flow,
    one of each action: "clip" (S, T, 1, H, W) float32, "label" (S,), "logits" (S, classes).

    Files are "model", "frames", and the test clips of each flow by its name. Of the section of params.yaml, `data` has
    `frames`, `stride` and `draws`, and `training` what `evaluate_to_files` needs.
    """

    def measure(network: nn.Module) -> tuple[dict[str, Measures], dict[str, Tensor]]:
        arrays, about = read_arrays(files["frames"])
        frames, actions, draws = arrays["frames"].to(place.device), about["actions"], max(data.draws, 1)
        measured: dict[str, Measures] = {}
        samples: dict[str, Tensor] = {}
        for flow in flows:
            clips = Clips.read(files[flow]).to(place.device)
            batch = batches(frames, clips, data.frames, data.stride)
            measured[flow] = measure_recognition(network, batch, len(clips), training.batch, actions, draws)
            of_action = [(clips.label == action).nonzero()[:, 0] for action in clips.label.unique()]
            chosen = clips[torch.stack([found[len(found) // 2] for found in of_action])]
            shown = gather(frames, chosen, data.frames, data.stride)
            samples = {"clip": shown, "label": chosen.label, "logits": network(shown).float()}
        return measured, samples

    evaluate_to_files(model, training, files["model"], measure, place, outputs)
