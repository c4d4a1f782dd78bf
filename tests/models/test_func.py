"""torch.func over the models: gradients of each sequence alone, as for influence functions or differential privacy."""

import pytest
import torch
from torch import nn
from torch.func import functional_call, grad, vmap

from fernn.flows import Translation
from fernn.models import ReferenceCell, RotationPredictor


def rotation() -> nn.Module:
    return RotationPredictor("V1R", fields=1, group_order=4, degrees=90, decoder_layers=2, convolution="dense")


@pytest.mark.parametrize("model", [rotation(), ReferenceCell(Translation(1), hidden_channels=3)])
def test_gradients_of_each_sequence_are_those_of_a_loop(model: nn.Module) -> None:
    model = model.double()
    frames = torch.rand(3, 2, 1, 6, 6, dtype=torch.float64)
    weights = dict(model.named_parameters())

    def loss(weights: dict[str, torch.Tensor], sequence: torch.Tensor) -> torch.Tensor:
        if isinstance(model, RotationPredictor):
            return functional_call(model, weights, (sequence[None], 2)).square().mean()
        h = functional_call(model, weights, (sequence[None, 0], None))
        return functional_call(model, weights, (sequence[None, 1], h)).maps.square().mean()

    together = vmap(grad(loss), (None, 0))(weights, frames)
    for number, sequence in enumerate(frames):
        alone = torch.autograd.grad(loss(weights, sequence), list(weights.values()))
        for (name, gradients), expected in zip(together.items(), alone, strict=True):
            torch.testing.assert_close(gradients[number], expected, msg=name)
