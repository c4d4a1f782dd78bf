"""All models of this library, written to files and read by the name of their class."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from fernn.models.classifier import FERNNClassifier, GRNNPlusClassifier
from fernn.models.cnn3d import CNN3D
from fernn.models.predictor import FERNNPredictor
from fernn.models.rotation.predictor import RotationPredictor
from fernn.models.storage import read_model, write_model

MODELS: tuple[type[nn.Module], ...] = (
    FERNNPredictor,
    RotationPredictor,
    FERNNClassifier,
    GRNNPlusClassifier,
    CNN3D,
)


def save_model(model: nn.Module, path: str | Path, weights: dict[str, Tensor] | None = None) -> None:
    """Write a model of `fernn.models` to `path`, whole or not at all.

    Args:
        model: a model with a `config`.
        path: a file name, by custom *.safetensors.
        weights: written in place of the model's own (the best epoch's, say).

    Raises:
        FernnError: if it is no model of `fernn.models`.
    """
    write_model(model, MODELS, path, weights)


def load_model(path: str | Path, device: torch.device | str = "cpu") -> Any:
    """Build the model that `save_model` wrote to `path`.

    Returns:
        The model, on `device`, in evaluation mode, the weights of its convolutions with the channels last.

    Raises:
        FernnError: if the file is missing or was not written by `save_model`.
    """
    return read_model(path, MODELS, device)
