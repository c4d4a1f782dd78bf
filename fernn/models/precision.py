"""In which precision a model computes."""

import torch
from torch import Tensor


def autocast(device: torch.device, precision: str) -> torch.autocast:
    """The context for "float32" or "bf16" (convolutions in bfloat16; weights, loss and optimizer stay float32).

    On CUDA, float32 convolutions use TF32 as they do in PyTorch by default and in the released code.
    """
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == "bf16")


def compute_dtype(weight: Tensor) -> torch.dtype:
    """The precision of a step: autocast's where it is on, else the weight's."""
    kind = weight.device.type
    autocasts = torch.amp.is_autocast_available(kind) and torch.is_autocast_enabled(kind)  # meta: an error to ask
    return torch.get_autocast_dtype(kind) if autocasts else weight.dtype
