"""In which precision a model computes."""

import torch


def autocast(device: torch.device, precision: str) -> torch.autocast:
    """The context for "float32" or "bf16" (convolutions in bfloat16; weights, loss and optimizer stay float32).

    On CUDA, float32 convolutions use TF32 as they do in PyTorch by default and in the released code.
    """
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == "bf16")
