"""The recurrent networks of the paper, each importable from here."""

from fernn.models.cell import FERNNCell, FlowState
from fernn.models.predictor import FERNNPredictor, GRNNPredictor
from fernn.models.storage import load_model, save_model

__all__ = ["FERNNCell", "FERNNPredictor", "FlowState", "GRNNPredictor", "load_model", "save_model"]
