"""Experiment C: the networks. One more kind is a class more here, and a line of params.yaml."""

from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from fernn.models.classifier import FERNNClassifier, GRNNPlusClassifier
from fernn.models.cnn3d import CNN3D


@dataclass(frozen=True)
class FERNN:
    """The paper's recurrent network, which is the G-RNN at V_0. A `Model`.

    Attributes:
        flow: its generators.
        stem_channels: output channels of the stem's layers.
        stem_kernels: their kernel widths.
        kernel_size: of the hidden convolution, in pixels.
    """

    network: ClassVar[type[nn.Module]] = FERNNClassifier

    flow: str
    stem_channels: tuple[int, ...]
    stem_kernels: tuple[int, ...]
    kernel_size: int

    def build(self) -> nn.Module:
        """The network, with weights by torch's random generator."""
        return self.network(**vars(self))


@dataclass(frozen=True)
class GRNNPlus(FERNN):
    """The recurrent network with a kernel over generators, which is not equivariant. A `Model`."""

    network: ClassVar[type[nn.Module]] = GRNNPlusClassifier


@dataclass(frozen=True)
class CNN:
    """The network without recurrence. A `Model`.

    Attributes:
        base: channels of the first block.
    """

    network: ClassVar[type[nn.Module]] = CNN3D

    base: int

    def build(self) -> nn.Module:
        """The network, with weights by torch's random generator."""
        return CNN3D(self.base)


RECURRENT = {"fernn": FERNN, "grnn+": GRNNPlus}
