"""All models of this library: what `fernn.models` exports, and which classes a file of weights can hold.

A new model is a module of its own, which the stages find by its `kind` in params.yaml. Its name here lets `load_model`
read its weights. No stage imports this module, so no other result becomes outdated.
"""

import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from fernn.errors import FernnError
from fernn.models.cell import FERNNCell, FlowState
from fernn.models.classifier import FERNNClassifier, GRNNPlusClassifier
from fernn.models.cnn3d import CNN3D
from fernn.models.predictor import FERNNPredictor, GRNNPredictor
from fernn.models.reference import ReferenceCell, ReferenceState
from fernn.models.rotation.cell import RotationCell, RotationState
from fernn.models.rotation.predictor import RotationPredictor
from fernn.models.storage import read_model, write_model

__all__ = [
    "CNN3D",
    "PRETRAINED",
    "FERNNCell",
    "FERNNClassifier",
    "FERNNPredictor",
    "FlowState",
    "GRNNPlusClassifier",
    "GRNNPredictor",
    "ReferenceCell",
    "ReferenceState",
    "RotationCell",
    "RotationPredictor",
    "RotationState",
    "load_model",
    "pretrained",
    "save_model",
]

MODELS: tuple[type[nn.Module], ...] = (
    FERNNPredictor,
    GRNNPredictor,
    RotationPredictor,
    FERNNClassifier,
    GRNNPlusClassifier,
    CNN3D,
)
WEIGHTS = Path(__file__).with_name("weights")
# of each model in the package, by name: its run, scale, commit, seed, params, errors, and the digest of its file
PRETRAINED: dict[str, dict[str, Any]] = json.loads((WEIGHTS / "provenance.json").read_text())


def save_model(model: nn.Module, path: str | Path, weights: dict[str, Tensor] | None = None) -> None:
    """Write a model of `fernn.models` to `path`, whole or not at all.

    Args:
        model: a model of this library; one of your own is written and read by `fernn.models.storage`.
        path: a file name, by custom *.safetensors.
        weights: written in place of the model's own (the best epoch's, say).

    Raises:
        FernnError: if it is no model of `fernn.models`, or one that its `config` does not tell of (with a flow of your
            own, say), or the file cannot be written.
    """
    try:
        write_model(model, MODELS, path, weights)
    except OSError as error:
        raise FernnError(f"cannot write {path}: {error}. Make room, or choose a folder you may write to.") from error


def load_model(path: str | Path, device: torch.device | str = "cpu") -> Any:
    """Build the model that `save_model` wrote to `path`.

    Returns:
        The model, on `device`, in evaluation mode, the weights of its convolutions with the channels last.

    Raises:
        FernnError: if the file is missing or was not written by `save_model`, or there is no such device.
    """
    return read_model(path, MODELS, device)


def pretrained(name: str, device: torch.device | str = "cpu") -> Any:
    """Load a model that comes with the package. `PRETRAINED[name]` has the run that trained it, and its errors.

    Each is the run of scale small with the lowest validation loss of its seeds, on two digits of MNIST: translations
    of V_2^T in frames of 28 x 28 pixels, or rotations of V_4^R (turns of 30 degrees) in frames of 40 x 40.

    Args:
        name: such as "translation/FERNN-V2T"; the keys of `PRETRAINED`.
        device: where to put it.

    Returns:
        The model, as `load_model` returns it.

    Raises:
        FernnError: if there is no such model or device.
    """
    if name not in PRETRAINED:
        raise FernnError(f"{name}: no pretrained model. The package has {', '.join(PRETRAINED)}.")
    return load_model(WEIGHTS / f"{name}.safetensors", device)
