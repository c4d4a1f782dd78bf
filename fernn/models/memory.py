"""In which order a model's weights lie in memory."""

from typing import TypeVar

import torch
from torch import nn

Network = TypeVar("Network", bound=nn.Module)


def channels_last(model: Network) -> Network:
    """Store the weights of a model's convolutions over images with the channels last, where these are fastest.

    The recurrence keeps its maps so. What a convolution gives for frames of one channel follows its weights, so with
    the weights in the other order each step would add maps of two orders.

    Args:
        model: any network; its weights are given new memory, with the values that they have.

    Returns:
        The same model.
    """
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch declares it late
    return model
