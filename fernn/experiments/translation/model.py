"""Experiment A: the networks. One more kind is a class more here, with the same fields, and a line of params.yaml."""

from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from fernn.models.predictor import FERNNPredictor


@dataclass(frozen=True)
class FERNN:
    """The paper's network, which is the G-RNN at V_0. A `Model`.

    Attributes:
        flow: its generators.
        hidden_channels: channels for each generator.
        kernel_size: of the cell, in pixels.
        decoder_layers: hidden layers of the decoder.
    """

    network: ClassVar[type[nn.Module]] = FERNNPredictor

    flow: str
    hidden_channels: int
    kernel_size: int
    decoder_layers: int

    def build(self) -> nn.Module:
        """The network, with weights by torch's random generator."""
        return FERNNPredictor(**vars(self))


KINDS = {"fernn": FERNN}
