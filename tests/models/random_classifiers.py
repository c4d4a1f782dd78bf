"""Random classifiers of moving KTH, random clips, and a look at what they compute on the way."""

from collections.abc import Callable
from unittest import mock

import torch
from torch import Tensor, nn

from fernn.models import FERNNClassifier, GRNNPlusClassifier
from fernn.models import classifier as module

CLASSES = {"fernn": FERNNClassifier, "grnn+": GRNNPlusClassifier}


def random_classifier(kind: str, k: int, dtype: torch.dtype = torch.float64, **changes) -> nn.Module:
    """Small, in training mode; a strong W, and batch norms that are away from where they start."""
    torch.manual_seed(k)
    sizes = {"stem_channels": [3, 4], "stem_kernels": [5, 3], "channels": 2, "classes": 5, **changes}
    model = CLASSES[kind](f"V{k}T", **sizes).to(dtype)
    with torch.no_grad():
        model.W.weight.mul_(3)
        for norm in model.stem.norms:
            norm.running_mean.normal_(0, 0.3)
            for positive in (norm.weight, norm.running_var):
                positive.uniform_(0.5, 1.5)
            norm.bias.normal_(0, 0.3)
    return model


def random_clips(frames: int, dtype: torch.dtype = torch.float64, side: tuple[int, int] = (6, 7)) -> Tensor:
    """(3, frames, 2, H, W)."""
    generator = torch.Generator().manual_seed(frames)
    return torch.randn(3, frames, 2, *side, dtype=torch.float64, generator=generator).to(dtype)


def states_of(compute: Callable[[], Tensor]) -> list[Tensor]:
    """h_1 ... h_T, each (B, V, C, H, W), that a FERNN goes through while `compute` runs."""
    states = []

    def watched(*arguments):
        state = advance(*arguments)
        states.append(state.lab())
        return state

    advance = module.advance
    with mock.patch.object(module, "advance", watched):
        compute()
    return states
