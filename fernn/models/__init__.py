"""The recurrent networks of the paper, each importable from here."""

from fernn.models.cell import FERNNCell, FlowState
from fernn.models.classifier import FERNNClassifier, GRNNPlusClassifier
from fernn.models.cnn3d import CNN3D
from fernn.models.predictor import FERNNPredictor, GRNNPredictor
from fernn.models.registry import load_model, save_model
from fernn.models.rotation.cell import RotationCell, RotationState
from fernn.models.rotation.predictor import RotationPredictor

__all__ = [
    "CNN3D",
    "FERNNCell",
    "FERNNClassifier",
    "FERNNPredictor",
    "FlowState",
    "GRNNPlusClassifier",
    "GRNNPredictor",
    "RotationCell",
    "RotationPredictor",
    "RotationState",
    "load_model",
    "save_model",
]
