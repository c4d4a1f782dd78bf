"""The decoder of both predictors: from the maximum over V to a frame."""

from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor, nn

from fernn.models import winograd
from fernn.models.borders import circular_pad
from fernn.models.checks import check_sizes


class CircularConv2d(nn.Conv2d):
    """A convolution on the torus, 3x3 and without a bias: `padding_mode="circular"` that keeps the channels last."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, 3, bias=False)

    def forward(self, maps: Tensor) -> Tensor:
        """Maps (B, inputs, H, W) to (B, outputs, H, W)."""
        return F.conv2d(circular_pad(maps, 1), self.weight)


class Decoder(nn.Sequential):
    """Hidden layers, each a 3x3 convolution and a ReLU, and a last convolution; none has a bias (released code).

    Args:
        hidden: channels of the hidden maps.
        channels: of a frame.
        layers: number of hidden layers.
        circular: whether maps go on at their other side (translation), or zeros stand around them (rotation).

    Raises:
        FernnError: for no channels, or a negative number of layers.
    """

    def __init__(self, hidden: int, channels: int, layers: int, circular: bool) -> None:
        def convolution(outputs: int) -> nn.Conv2d:
            return CircularConv2d(hidden, outputs) if circular else nn.Conv2d(hidden, outputs, 3, padding=1, bias=False)

        check_sizes("Decoder", hidden=hidden, channels=channels)
        check_sizes("Decoder", 0, layers=layers)
        inner = [module for _ in range(layers) for module in (convolution(hidden), nn.ReLU())]
        super().__init__(*inner, convolution(channels))
        self.circular = circular

    def forward(self, maps: Tensor) -> Tensor:
        """Maps (B, hidden, H, W) to frames (B, channels, H, W)."""
        return self.prepared(*maps.shape[-2:])(maps)

    def prepared(self, height: int, width: int) -> Callable[[Tensor], Tensor]:
        """The decoder for maps of that size, with kernels transformed once; it serves until the weights change."""
        kernels = [
            winograd.transform(layer.weight)
            if isinstance(layer, nn.Conv2d) and winograd.pays(layer.weight, height, width)
            else None
            for layer in self
        ]

        def decode(maps: Tensor) -> Tensor:
            for layer, kernel in zip(self, kernels, strict=True):
                maps = layer(maps) if kernel is None else winograd.convolve(self._bordered(maps), kernel)
            return maps

        return decode

    def _bordered(self, maps: Tensor) -> Tensor:
        return circular_pad(maps, 1) if self.circular else F.pad(maps, (1,) * 4)
