"""Weights with what is needed to build their model again, in one safetensors file (no pickle)."""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from fernn.errors import FernnError
from fernn.files import atomic
from fernn.models.classifier import FERNNClassifier, GRNNPlusClassifier
from fernn.models.cnn3d import CNN3D
from fernn.models.predictor import FERNNPredictor
from fernn.models.rotation.predictor import RotationPredictor

MODELS: dict[str, type[nn.Module]] = {
    cls.__name__: cls for cls in (FERNNPredictor, RotationPredictor, FERNNClassifier, GRNNPlusClassifier, CNN3D)
}


def save_model(model: nn.Module, path: str | Path, weights: dict[str, Tensor] | None = None) -> None:
    """Write a model of `fernn.models` to `path`, whole or not at all.

    Args:
        model: a model with a `config`.
        path: a file name, by custom *.safetensors.
        weights: written in place of the model's own (the best epoch's, say).

    Raises:
        FernnError: if it is no model of `fernn.models`.
    """
    kind = next((name for name, cls in MODELS.items() if isinstance(model, cls)), None)
    if kind is None:
        raise FernnError(f"save_model got a {type(model).__name__}; it writes these: {', '.join(MODELS)}.")
    tensors = {name: value.detach().cpu().contiguous() for name, value in (weights or model.state_dict()).items()}
    # one metadata key only: the format keeps several in an order that changes from run to run
    about = json.dumps({"model": kind, "config": model.config}, sort_keys=True)
    with atomic(path) as temporary:
        temporary.write_bytes(save(tensors, {"fernn": about}))


def load_model(path: str | Path, device: torch.device | str = "cpu") -> Any:
    """Build the model that `save_model` wrote to `path`.

    Returns:
        The model, on `device`, in evaluation mode.

    Raises:
        FernnError: if the file is missing or was not written by `save_model`.
    """
    try:
        with safe_open(str(path), "pt", device=str(device)) as file:
            about = json.loads((file.metadata() or {})["fernn"])
            build, config = MODELS[about["model"]], about["config"]
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
    except FileNotFoundError:
        raise FernnError(f"{path}: no such file. Expected a model that `fernn train` or `save_model` wrote.") from None
    except (SafetensorError, KeyError, json.JSONDecodeError) as error:
        raise FernnError(
            f"{path}: not a model of this library ({error}). Expected a file that `save_model` wrote."
        ) from None
    model = build(**config).to(device)
    model.load_state_dict(weights)
    return model.eval()
