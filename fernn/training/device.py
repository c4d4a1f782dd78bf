"""The device that trains: how to make it deterministic and fast, and how large a micro-batch fits its memory.

The peak memory of a training step is estimated as

    bytes = 16 weights + 1.2 sequences kept

16: each weight in float32, its gradient, and the two moments of Adam. `kept` is what autograd keeps of one sequence
from the forward for the backward pass, counted on torch's meta device, which has shapes and no numbers; in bf16 half of
it. 1.2 is for the gradients of activations and for workspaces; with it the formula lies within a fifth of what was
counted by hand for four networks of the paper (tests/training/test_device.py). On an H200 the measured peak was 0.84 to
1.04 times the estimate, for the eleven models of the paper (docs/gpu.md).
"""

import ctypes
import os
import sys
from collections.abc import Callable

import torch
from torch import Tensor, nn

from fernn.errors import FernnError
from fernn.models import winograd
from fernn.models.precision import use_precision

MICRO_BATCH_ON_CPU = 16  # of "auto": there, memory is no limit
USABLE_SHARE = 0.9  # of the free memory: blocks are not packed without gaps
BYTES_PER_WEIGHT, OVER_KEPT = 16, 1.2
_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4  # malloc.h of the GNU C library


def choose_device(scale: str, allow_cpu: bool) -> torch.device:
    """The GPU, or the CPU if there is none and `allow_cpu`; FernnError otherwise."""
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
    """Make results reproducible and steps fast, for the whole process.

    Args:
        device: what computes.
        threads: CPU threads; 0 leaves torch's choice. The order of sums in a weight's gradient depends on them.
        precision: see `fernn.models.precision`.
        transformed: whether convolutions may be computed as in `fernn.models.winograd`.
    """
    if threads:
        torch.set_num_threads(threads)
    use_precision(precision)
    winograd.use(transformed)
    if device.type == "cuda":
        # all other operations of the models are deterministic; these settings are for cuDNN and cuBLAS
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


def sequences_at_a_time(
    wanted: int | str | None,
    batch: int,
    build: Callable[[], nn.Module],
    lengths: tuple[int, ...],
    precision: str,
    device: torch.device,
) -> int | None:
    """The micro-batch on a device: a number of sequences, or None for the whole batch.

    Args:
        wanted: `micro_batch` of params.yaml: a number, None, or "auto": the first of the whole batch, its half, its
            quarter ... that fits the GPU's free memory; on a CPU 16 at most.
        batch: sequences of a batch.
        build: makes the network.
        lengths: side of a frame in pixels, frames seen, frames predicted.
        precision: see `fernn.models.precision`.
        device: what trains.
    """
    if not isinstance(wanted, str):
        return wanted
    if device.type != "cuda":
        return min(batch, MICRO_BATCH_ON_CPU)
    with torch.device("meta"):
        model = build().to("meta")  # some constants are created on the CPU
    free, _ = torch.cuda.mem_get_info(device)
    return fitting(batch, USABLE_SHARE * free, weights_of(model), kept(model, *lengths), precision)


def fitting(batch: int, room: float, weights: int, kept: float, precision: str) -> int:
    """The first of the whole batch, its half, its quarter ... that needs at most `room` bytes; at least 1.

    Halves, so that GPUs with a little more or less free memory use the same micro-batch.
    """
    number = batch
    while number > 1 and step_bytes(weights, kept, number, precision) > room:
        number = -(-number // 2)
    return number


def step_bytes(weights: int, kept: float, sequences: int, precision: str) -> float:
    """Peak bytes of a training step with that many weights and sequences, `kept` bytes for each (see the module)."""
    return BYTES_PER_WEIGHT * weights + OVER_KEPT * sequences * kept / (2 if precision == "bf16" else 1)


def kept(model: nn.Module, side: int, frames: int, *predicted: int) -> int:
    """Bytes that autograd keeps of one sequence, in float32.

    Args:
        model: on any device; on the meta device nothing is computed.
        side: of a frame in pixels.
        frames: of the input.
        predicted: number of frames that a predictor makes.
    """
    own = {weight.untyped_storage()._cdata for weight in (*model.parameters(), *model.buffers())}
    storages: dict[int, torch.UntypedStorage] = {}  # alive until all are counted, so no address is reused

    def keep(saved: Tensor) -> Tensor:
        storage = saved.untyped_storage()
        if storage._cdata not in own:
            storages[storage._cdata] = storage
        return saved

    device, mode = next(model.parameters()).device, model.training
    model.train()
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda saved: saved):
        model(torch.empty(1, frames, 1, side, side, device=device), *predicted)
    model.train(mode)
    return sum(storage.nbytes() for storage in storages.values())


def weights_of(model: nn.Module) -> int:
    """Number of a network's weights."""
    return sum(weight.numel() for weight in model.parameters())
