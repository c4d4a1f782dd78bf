"""The network: the paper's, with the generators of this flow."""

from fernn.experiments.axis.flow import Horizontal
from fernn.models.predictor import FERNNPredictor


class HorizontalPredictor(FERNNPredictor):
    """A FERNN over V_k^X, built and read by the name of its flow."""

    def __init__(self, flow: str, **sizes: int) -> None:
        super().__init__(Horizontal.parse(flow), **sizes)
