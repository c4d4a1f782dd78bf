"""A tree of finished runs of experiment C with numbers that a test knows."""

import json
from collections.abc import Sequence
from itertools import product
from pathlib import Path

import numpy as np
import yaml
from safetensors.numpy import save_file

from fernn.experiments import resolve
from fernn.layout import Layout
from fernn.params import Params
from fernn.runs import Run, all_runs, evaluations_of
from tests.results.tree import PARAMS, write_evaluation, write_training_record

ACTIONS = ["walking", "jogging", "running", "boxing", "handwaving", "handclapping"]
EPOCHS, SEEDS, EACH, DRAWS = 4, [0, 1], 20, 5  # epochs, seeds, test clips of each action, draws of each clip
INSIDE = 0.99  # validation accuracy inside the first epoch
RATES = [1e-3, 1e-4]
# test clips of each action that are named rightly on the flow of training, by seed 0; one more by seed 1
RIGHT = {"3D-CNN": 10, "G-RNN": 12, "G-RNN+": 13, "FERNN-V1T": 14, "FERNN-V2T": 16}
DROPPED = {
    "video": "person01_boxing_d4",
    "sequence": 4,
    "frames": "246-370",
    "reason": "the video ends after frame 304",
}


def kth_params(scale: str = "quick", **kth: object) -> Params:
    """Moving KTH with few epochs and rates, at any scale; keywords override keys of its section."""
    content = yaml.safe_load(PARAMS.read_text())
    content["kth"]["training"]["epochs"] = EPOCHS
    content["kth"]["seeds"] = SEEDS
    content["kth"]["runs"][0]["search"] = RATES
    content["kth"] |= kth
    content["scales"] = {scale: {}}
    content["experiments"] = ["kth"]
    return resolve(content, scale)


def write_kth(layout: Layout, params: Params, stand_in: bool = True) -> None:
    """The record of the videos, and all runs of the params: the second of two learning rates is the better one."""
    write_videos(layout, stand_in)
    for run in all_runs(params).values():
        worse = 0.1 if run.learning_rate == RATES[0] else 0.0
        right = RIGHT[run.model] + run.seed
        write_kth_run(layout, params, run, [0.3, right / EACH - worse, right / EACH - worse, 0.2], right)


def write_videos(layout: Layout, stand_in: bool = True, **changed: object) -> Path:
    about = {
        "release": "drawn stand-ins" if stand_in else "KTH actions",
        "stand_in": stand_in,
        "actions": ACTIONS,
        "videos": 599,
        "sequences": 2390,
        "missing": ["person13_handclapping_d3"],
        "dropped": [DROPPED],
    }
    path = layout.dataset("kth", "frames")
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({"frames": np.zeros((3, 4, 4), np.uint8)}, path, {"fernn": json.dumps(about | changed, sort_keys=True)})
    return path


def write_kth_run(layout: Layout, params: Params, run: Run, accuracies: Sequence[float], right: int) -> None:
    """The files of a run: validation accuracies by epoch, and `right` test clips of each action named rightly.

    All others are taken for the first action, and those of the first for the second. A flow that was not trained on
    costs a clip of each. A validation inside the first epoch, as by `validate_every`, is better than all at ends.
    """
    path = layout.run(run.id, "metrics.csv")
    path.parent.mkdir(parents=True, exist_ok=True)
    write_training_record(layout, run)
    validated = [(1, 5, INSIDE), *((epoch, 10 * epoch, value) for epoch, value in enumerate(accuracies, start=1))]
    rows = "".join(f"{epoch},{step},1.5,{2 - value},{value}\n" for epoch, step, value in validated)
    path.write_text("epoch,step,train_loss,validation_loss,validation_accuracy\n" + rows)
    measures = {}
    for flow in evaluations_of(params, run):
        named = right - (flow != run.flow)
        found = {("confusion", f"{true} {taken}"): 0 for true in ACTIONS for taken in ACTIONS}
        for action in ACTIONS:
            found["confusion", f"{action} {action}"] = named
            found["confusion", f"{action} {ACTIONS[action == ACTIONS[0]]}"] = EACH - named
        whole = {("accuracy", ""): named / EACH, ("loss", ""): 1.2, ("clips", ""): 6 * EACH}
        draws = {
            ("accuracy", str(draw)): named / EACH + 0.01 * (1 + run.seed) * (draw - 3) for draw in range(1, DRAWS + 1)
        }
        measures[flow] = {**whole, **draws, **found}
    write_evaluation(layout, run, measures)
    save_file(samples(run), layout.evaluation(run.id, "samples.safetensors"))


def samples(run: Run) -> dict[str, np.ndarray]:
    """One clip of each action: a bar that moves; FERNNs name all of them, the others take the last for the first."""
    clip = np.full((6, 16, 1, 32, 32), 0.8, np.float32)
    for action, time in product(range(6), range(16)):
        clip[action, time, 0, :, (4 * action + time) % 32] = 0.1
    label = np.arange(6)
    named = label if run.model.startswith("FERNN") else label % 5
    return {"clip": clip, "label": label, "logits": np.eye(6, dtype=np.float32)[named]}
