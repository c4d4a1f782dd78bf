"""What every model refuses, in the same words."""

import torch
from torch import Tensor

from fernn.errors import FernnError
from fernn.flows.numbers import whole


def check_sizes(name: str, least: int = 1, **sizes: int) -> None:
    """Refuse numbers of channels, layers and so on that cannot be.

    Args:
        name: whose they are.
        least: the smallest that can be.
        sizes: by the name of the argument.

    Raises:
        FernnError: for the first that is smaller or no whole number.
    """
    for argument, size in sizes.items():
        number = whole(size)
        if number is None or number < least:
            raise FernnError(f"{name}({argument}={size!r}): expected a whole number of at least {least}.")


def check_clips(name: str, what: str, clips: Tensor, channels: int | None = None) -> None:
    """Refuse what is not some clips of some frames.

    Args:
        name: of the model.
        what: "frames" or "clips", as the model calls them.
        clips: (B, T, channels, H, W).
        channels: of a frame, where they are to be held against them here.

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
    """Refuse a state that is not of such frames, which torch might stretch to fit.

    Args:
        name: of the cell.
        size: of the state's map of one generator, (B, C, H, W).
        frame: the next one, (B, channels, H, W).
        channels: C of the cell.

    Raises:
        FernnError: if the two do not agree.
    """
    expected = frame.shape[0], channels, *frame.shape[-2:]
    if size != expected:
        raise FernnError(
            f"{name} got a frame of shape {tuple(frame.shape)}, whose maps are {expected}, and a state with maps of "
            f"{tuple(size)}: a state belongs to the cell and to the frames that made it."
        )


def check_first(way: str, other: str) -> None:
    """Refuse to be differentiated a second time, on the way back of something that is written for the first alone.

    Args:
        way: what is computed, as the beginning of a sentence.
        other: what to do for a second derivative.

    Raises:
        FernnError: if gradients are recorded, as `create_graph=True` asks for.
    """
    if torch.is_grad_enabled():
        raise FernnError(f"{way} has a first derivative only (asked for by create_graph=True): {other}.")


def check_numbers(name: str, frames: Tensor) -> None:
    """Refuse frames that are bytes or other whole numbers, which would be taken as 0, 1, ... 255.

    Raises:
        FernnError: if they are not of floating point.
    """
    if not frames.is_floating_point():
        raise FernnError(
            f"{name} got frames of {frames.dtype}: expected floating-point numbers, of 0 to 1 in all experiments. "
            "Bytes are those after `frames.float() / 255`."
        )
