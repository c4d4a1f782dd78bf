"""Experiment B: the networks. One more kind is a class more here, with the same fields, and a line of params.yaml."""

from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from fernn.models.rotation.predictor import RotationPredictor


@dataclass(frozen=True)
class FERNN:
    """The paper's network, which is the G-RNN at V_0. A `Model`.

    Attributes:
        flow: its generators.
        degrees: the smallest turn per frame.
        fields: regular fields for each generator.
        group_order: orientations of a field.
        kernel_size: of the cell, in pixels.
        decoder_layers: hidden layers of the decoder.
        convolution: "steerable", "dense" or "auto".
        frame: "lab" or "co-moving", where the hidden state is kept.
    """

    network: ClassVar[type[nn.Module]] = RotationPredictor

    flow: str
    degrees: float
    fields: int
    group_order: int
    kernel_size: int
    decoder_layers: int
    convolution: str
    frame: str

    def build(self) -> nn.Module:
        """The network, with weights by torch's random generator."""
        return RotationPredictor(**vars(self))


KINDS = {"fernn": FERNN}
