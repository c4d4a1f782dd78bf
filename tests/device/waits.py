"""What makes a host wait for its GPU: reading a value back, or copying between the two."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

aten = torch.ops.aten
# what needs a value, or a shape that depends on values
READS = {
    *(aten._local_scalar_dense, aten.is_nonzero, aten.equal, aten.nonzero, aten.masked_select),
    *(aten.unique_consecutive, aten._unique2, aten.unique_dim, aten.repeat_interleave),
}
INDEXING, MASKS = {aten.index, aten.index_put_}, {torch.bool, torch.uint8}
COPIES = {aten._to_copy, aten.copy_}


class Waits(TorchDispatchMode):
    """Watches the operations of a block.

    On the CPU it sees reads; on the meta device, which has shapes and no numbers, copies as well, since whatever else
    lies on the CPU would have to be copied to a GPU.

    Attributes:
        found: the operations that would wait, in order.
    """

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        inputs = [each for each in tree_leaves((args, kwargs)) if isinstance(each, Tensor)]
        # a mask as an index is made places inside of the operation
        masked = function.overloadpacket in INDEXING and any(each.dtype in MASKS for each in inputs[1:])
        if function.overloadpacket in READS or masked:
            self.found.append(str(function))
        result = function(*args, **(kwargs or {}))
        devices = {each.device for each in [*inputs, *tree_leaves(result)] if isinstance(each, Tensor)}
        if function.overloadpacket in COPIES and len(devices) > 1:
            self.found.append(str(function))
        return result


@contextmanager
def never_waits(device: torch.device) -> Iterator[None]:
    """Fails where a block makes the host wait for the device; on CUDA torch itself watches."""
    if device.type == "cuda":
        before = torch.cuda.get_sync_debug_mode()
        try:
            with warnings.catch_warnings():  # that this is a prototype
                warnings.simplefilter("ignore")
                torch.cuda.set_sync_debug_mode("error")
            yield
        finally:
            torch.cuda.set_sync_debug_mode(before)
        return
    with Waits() as watch:
        yield
    assert not watch.found
