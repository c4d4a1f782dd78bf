"""Checks of arguments that all models share, with one wording."""

import torch
from torch import Tensor, nn

from fernn.errors import FernnError
from fernn.flows.base import whole


def check_sizes(name: str, least: int = 1, **sizes: int) -> None:
    """Refuse sizes, by the argument's name, that are smaller than `least` or not whole numbers.

    Raises:
        FernnError: for the first such size.
    """
    for argument, size in sizes.items():
        number = whole(size)
        if number is None or number < least:
            raise FernnError(f"{name}({argument}={size!r}): expected a whole number of at least {least}.")


def check_kernel(name: str, kernel_size: int) -> None:
    """Refuse a kernel of even width.

    Raises:
        FernnError: for such a kernel.
    """
    if kernel_size % 2 == 0:
        raise FernnError(
            f"{name}(kernel_size={kernel_size}): a kernel that sits on a pixel has an odd width: 1, 3, 5, ..."
        )


def is_plain(module: nn.Module, kind: type[nn.Module]) -> bool:
    """Whether a call of the module is `kind.forward` alone, so that a faster form may replace it.

    Pruning, weight_norm and spectral_norm in their hook form, adapters and activation capture change the call.
    Parametrizations do not: they change what `module.weight` gives.
    """
    hooks = module._forward_pre_hooks, module._forward_hooks, module._backward_pre_hooks, module._backward_hooks
    return getattr(module.forward, "__func__", None) is kind.forward and not any(hooks)


def check_clips(name: str, what: str, clips: Tensor, channels: int | None = None) -> None:
    """Refuse clips that are not (B, T, channels, H, W); `what` is what the model calls them.

    Raises:
        FernnError: for another shape, or numbers that are not of floating point.
    """
    if clips.ndim != 5 or 0 in clips.shape[:2] or channels not in (None, clips.shape[2]):
        each = "channels" if channels is None else channels
        raise FernnError(
            f"{name} got {what} of shape {tuple(clips.shape)}: expected (batch >= 1, time >= 1, {each}, height, width)."
        )
    check_numbers(name, clips)


def check_state(name: str, size: tuple[int, ...], frame: Tensor, channels: int) -> None:
    """Refuse a state whose map of one generator, (B, C, H, W), has another size: torch might stretch it to fit.

    Raises:
        FernnError: if the size is not that of the frame, (B, channels of a frame, H, W), and of C = `channels`.
    """
    expected = frame.shape[0], channels, *frame.shape[-2:]
    if size != expected:
        raise FernnError(
            f"{name} got a frame of shape {tuple(frame.shape)}, whose maps are {expected}, and a state with maps of "
            f"{tuple(size)}: a state belongs to the cell and to the frames that made it."
        )


def check_first(way: str, other: str) -> None:
    """Refuse a second derivative: called in a backward pass that has no derivative.

    Args:
        way: what is computed, as the beginning of a sentence.
        other: what to do for a second derivative.

    Raises:
        FernnError: if gradients are recorded, as `create_graph=True` asks for.
    """
    if torch.is_grad_enabled():
        raise FernnError(f"{way} has a first derivative only (asked for by create_graph=True): {other}.")


def check_numbers(name: str, frames: Tensor) -> None:
    """Refuse frames of bytes or other whole numbers, which would be taken as 0, 1, ... 255.

    Raises:
        FernnError: if they are not of floating point.
    """
    if not frames.is_floating_point():
        raise FernnError(
            f"{name} got frames of {frames.dtype}: expected floating-point numbers, of 0 to 1 in all experiments. "
            "Bytes are those after `frames.float() / 255`."
        )
