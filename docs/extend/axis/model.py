"""The network: the paper's, with the generators of this flow."""

from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from fernn.experiments.axis.flow import Horizontal
from fernn.models.predictor import FERNNPredictor


class HorizontalPredictor(FERNNPredictor):
    """A FERNN over V_k^X, built and read by the name of its flow."""

    def __init__(self, flow: str, **sizes: int) -> None:
        super().__init__(Horizontal.parse(flow), **sizes)


@dataclass(frozen=True)
class FERNN:
    """Its sizes; see `fernn.models.storage.Model`."""

    network: ClassVar[type[nn.Module]] = HorizontalPredictor

    flow: str
    hidden_channels: int
    kernel_size: int
    decoder_layers: int

    def build(self) -> nn.Module:
        """The network, with weights by torch's random generator."""
        sizes = {"hidden_channels": self.hidden_channels, "kernel_size": self.kernel_size}
        return HorizontalPredictor(self.flow, **sizes, decoder_layers=self.decoder_layers)
