"""Which device trains, and how to make it fast and repeatable."""

import ctypes
import os
import sys

import torch

from fernn.errors import FernnError
from fernn.models import winograd
from fernn.models.precision import use_precision

_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4  # malloc.h of the GNU C library


def choose_device(scale: str, allow_cpu: bool) -> torch.device:
    """CUDA if there is a GPU, else the CPU if that is allowed.

    Raises:
        FernnError: if there is no GPU and a CPU is not allowed.
    """
    if torch.cuda.is_available():
        return torch.device("cuda", torch.cuda.current_device())
    if allow_cpu:
        return torch.device("cpu")
    raise FernnError(
        f"scale {scale} needs a CUDA GPU, and torch {torch.__version__} finds none here. "
        "Run it on a machine with a GPU (and a CUDA build of torch), use a scale for CPUs (--scale quick), "
        "or say --allow-cpu (allow_cpu: true in params.yaml) to run it here all the same."
    )


def prepare(device: torch.device, threads: int, precision: str, transformed: bool) -> None:
    """Make results repeat and steps cheap, for the whole process.

    Args:
        device: what computes.
        threads: CPU threads; 0 leaves torch's own choice. The order of sums in a weight's gradient depends on it.
        precision: see `fernn.models.precision`; it is set here and never inherited.
        transformed: whether convolutions may be computed as in `fernn.models.winograd`.
    """
    if threads:
        torch.set_num_threads(threads)
    use_precision(precision)
    winograd.use(transformed)
    if device.type == "cuda":
        # every other operation of the models is deterministic by itself; these two are choices of cuDNN and cuBLAS
        torch.backends.cudnn.deterministic = True
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    else:
        _keep_freed_memory()


def _keep_freed_memory() -> None:
    """Let malloc reuse large blocks: the kernel otherwise takes back and zeroes every activation at each step."""
    if sys.platform == "linux":
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # the GNU C library has it
        if mallopt is not None:
            mallopt(_M_MMAP_MAX, 0)
            mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)
