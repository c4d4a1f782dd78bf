"""In which precision a model computes.

| precision | convolutions | matrix products | the rest |
| --- | --- | --- | --- |
| float32 | IEEE float32 | IEEE float32 | float32 |
| tf32 | TF32, on CUDA | IEEE float32 | float32 |
| bf16 | bfloat16 | bfloat16 | float32: weights, loss, optimizer |

PyTorch's defaults are "tf32", so that is what the released code computes in. A CPU has no TF32: there it is "float32".
"""

import os

import torch
from torch import Tensor

from fernn.errors import FernnError


def use_precision(precision: str) -> None:
    """Set both of torch's switches for TF32, for the whole process.

    They are those of cuDNN's convolutions and of CUDA's matrix products; torch refuses a process that sets some of them
    by `allow_tf32` and others by `fp32_precision`, so all of this library goes by the first.

    Args:
        precision: "float32", "tf32" or "bf16".

    Raises:
        FernnError: if a variable of the environment lowers the precision of oneDNN.
    """
    for name in ("ONEDNN_DEFAULT_FPMATH_MODE", "DNNL_DEFAULT_FPMATH_MODE"):
        if (mode := os.environ.get(name, "STRICT")) != "STRICT":
            raise FernnError(f"{name}={mode} lowers the precision of every float32 convolution on a CPU. Unset it.")
    torch.backends.cudnn.allow_tf32 = precision == "tf32"
    torch.backends.cuda.matmul.allow_tf32 = False


def autocast(device: torch.device, precision: str) -> torch.autocast:
    """The context to compute in: bfloat16 where "bf16" has it, nothing for the others, which are a matter of switches.

    Args:
        device: what computes.
        precision: as in `use_precision`.
    """
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == "bf16")


def compute_dtype(weight: Tensor) -> torch.dtype:
    """The precision of a step: autocast's where it is on, else the weight's."""
    kind = weight.device.type
    autocasts = torch.amp.is_autocast_available(kind) and torch.is_autocast_enabled(kind)  # meta: an error to ask
    return torch.get_autocast_dtype(kind) if autocasts else weight.dtype
