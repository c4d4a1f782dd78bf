"""How much memory of a card a training step takes, by counting, and how many sequences at a time fit.

    bytes = 16 weights + 1.2 sequences kept

16: each weight in float32, its gradient, and the two moments of Adam. `kept` is what autograd keeps of one sequence
from the way forward for the way back, counted on torch's meta device, which has shapes and no numbers; in bf16 half of
it. 1.2 is for the gradients under way and for workspaces; with it the formula lies within a fifth of what was counted
by hand for four networks of the paper (tests/training/test_memory.py). On an H200 the peak of a step was 0.84 to 1.04
times what it says, for the eleven models of the paper (docs/gpu.md).
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

AUTO = "auto"
ON_A_CPU = 16  # sequences at a time there, where memory is not what decides
SHARE = 0.9  # of the free memory that may be taken: blocks are not packed without gaps
BYTES_OF_A_WEIGHT, OVER_KEPT = 16, 1.2


def sequences_at_a_time(
    wanted: int | str | None,
    batch: int,
    build: Callable[[], nn.Module],
    lengths: tuple[int, ...],
    precision: str,
    device: torch.device,
) -> int | None:
    """What `micro_batch` of params.yaml means on a device.

    Args:
        wanted: a number, None for the whole batch, or "auto": the whole batch, or the half, the quarter ... of it,
            whichever first fits the card's free memory; on a CPU 16 at most.
        batch: sequences of a batch.
        build: makes the network.
        lengths: side of a frame in pixels, frames seen, frames predicted.
        precision: see `fernn.models.precision`.
        device: what trains.

    Returns:
        Number of sequences; None for the whole batch.
    """
    if not isinstance(wanted, str):
        return wanted
    if device.type != "cuda":
        return min(batch, ON_A_CPU)
    with torch.device("meta"):
        model = build().to("meta")  # some constants are made on the CPU
    free, _ = torch.cuda.mem_get_info(device)
    return fitting(batch, SHARE * free, weights_of(model), kept(model, *lengths), precision)


def fitting(batch: int, room: float, weights: int, kept: float, precision: str) -> int:
    """The whole batch, or the first of its half, its quarter ... that takes no more than `room` bytes; 1 at least.

    Halves, so that a card with a little more or less free memory computes in the same parts.
    """
    number = batch
    while number > 1 and step_bytes(weights, kept, number, precision) > room:
        number = -(-number // 2)
    return number


def step_bytes(weights: int, kept: float, sequences: int, precision: str) -> float:
    """Peak bytes of a training step, weights and Adam's moments among them.

    Args:
        weights: number of them.
        kept: bytes of one sequence, as `kept` counts them.
        sequences: at a time.
        precision: see `fernn.models.precision`.
    """
    return BYTES_OF_A_WEIGHT * weights + OVER_KEPT * sequences * kept / (2 if precision == "bf16" else 1)


def kept(model: nn.Module, side: int, frames: int, *predicted: int) -> int:
    """Bytes that autograd keeps of one sequence, in float32.

    Args:
        model: on any device; on the meta device nothing is computed.
        side: of a frame in pixels.
        frames: taken in.
        predicted: by a predictor, the number of frames that it makes.
    """
    own = {weight.untyped_storage()._cdata for weight in (*model.parameters(), *model.buffers())}
    storages: dict[int, torch.UntypedStorage] = {}  # alive until all are counted, so that no address comes twice

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
