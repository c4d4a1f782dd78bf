"""Flowing MNIST in small: the params, data sets and runs of A and B that tests share."""

from collections.abc import Sequence
from pathlib import Path

import yaml

from fernn.experiments import load_params
from fernn.params import Params

SCALE = "tiny"
SEEN, PREDICTED, LENGTH, EPOCHS, BATCH, TRAIN, TEST = 2, 3, 5, 2, 4, 10, 6
FLOWS = {"translation": ("V1T", "V0T"), "rotation": ("V1R", "V0R")}  # of training, and without motion
MODELS = {"translation": "FERNN-V2T", "rotation": "FERNN-V2R"}
RUNS = {name: f"{name}/{FLOWS[name][0]}/{model}/lr0.01/seed0" for name, model in MODELS.items()}


def write_params(source: Path, folder: Path, seeds: Sequence[int] = (0,), **rotation: object) -> Params:
    """The project's params.yaml with one more scale, of one small run of each; keywords override keys of B's data."""
    content = yaml.safe_load((source / "params.yaml").read_text(encoding="utf-8"))
    content["scales"][SCALE] = {
        "allow_cpu": True,
        "experiments": list(RUNS),
        "mnist": {"folder": str(source / "resources" / "mnist-subset"), "sources": []},
        **{
            name: {
                "data": {
                    "frame": 9, "digit": 7, "seen": SEEN, "predicted": PREDICTED,
                    "train": TRAIN, "validation": 4, "test": TEST,
                    "length": {"sequences": 4, "predicted": LENGTH}, "velocity": {"sequences": 3},
                },
                "models": {model: {"learning_rate": 0.01} for model in ("G-RNN", MODELS[name])},
                "training": {"epochs": EPOCHS, "batch": BATCH, "micro_batch": "auto", "threads": 1},
                "seeds": [*seeds],
                "runs": [
                    {"flow": flow, "models": [MODELS[name]], "evaluate": ["test", "length", "velocity"]},
                    {"flow": flow, "models": ["G-RNN"], "evaluate": ["velocity"]},
                ],
            }
            for name, (flow, _) in FLOWS.items()
        },
    }  # fmt: skip
    translation, turning = content["scales"][SCALE]["translation"], content["scales"][SCALE]["rotation"]
    translation["architecture"] = {"hidden_channels": 3, "decoder_layers": 1}
    translation["data"]["velocity"]["flow"] = "V1T"
    turning["architecture"] = {"fields": 2, "group_order": 12, "decoder_layers": 1}
    turning["data"] |= {"degrees": 30, **rotation}
    turning["data"]["velocity"]["flow"] = "V2R"
    (folder / "params.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    return load_params(folder / "params.yaml", SCALE)
