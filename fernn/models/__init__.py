"""The recurrent networks of the paper, each importable from here."""

from typing import TYPE_CHECKING

from fernn.lazy import exports

if TYPE_CHECKING:
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
__getattr__ = exports(
    __name__,
    {
        "CNN3D": "cnn3d",
        "FERNNCell": "cell",
        "FERNNClassifier": "classifier",
        "FERNNPredictor": "predictor",
        "FlowState": "cell",
        "GRNNPlusClassifier": "classifier",
        "GRNNPredictor": "predictor",
        "RotationCell": "rotation.cell",
        "RotationPredictor": "rotation.predictor",
        "RotationState": "rotation.cell",
        "load_model": "registry",
        "save_model": "registry",
    },
)
