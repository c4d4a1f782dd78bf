"""Weights with what is needed to build their model again, in one safetensors file (no pickle)."""

import json
from pathlib import Path
from typing import Any, ClassVar, Protocol

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from fernn.errors import FernnError
from fernn.files import atomic
from fernn.models.memory import channels_last


class Model(Protocol):
    """A network before it is trained: its class and its sizes, a frozen dataclass of plain values."""

    network: ClassVar[type[nn.Module]]

    def build(self) -> nn.Module:
        """The network, with weights by torch's random generator."""


def write_model(
    model: Any, kinds: tuple[type[nn.Module], ...], path: str | Path, weights: dict[str, Tensor] | None = None
) -> None:
    """Write a model to `path`, whole or not at all.

    Args:
        model: of one of the classes; its `config` names the arguments that build it.
        kinds: the classes that it may be of.
        path: a file name, by custom *.safetensors.
        weights: written in place of the model's own (the best epoch's, say).

    Raises:
        FernnError: if it is of none of them.
    """
    kind = next((kind.__name__ for kind in kinds if isinstance(model, kind)), None)
    if kind is None:
        names = ", ".join(kind.__name__ for kind in kinds)
        raise FernnError(f"save_model got a {type(model).__name__}; it writes these: {names}.")
    tensors = {name: value.detach().cpu().contiguous() for name, value in (weights or model.state_dict()).items()}
    # one metadata key only: the format keeps several in an order that changes from run to run
    about = json.dumps({"model": kind, "config": model.config}, sort_keys=True)
    with atomic(path) as temporary:
        temporary.write_bytes(save(tensors, {"fernn": about}))


def read_model(path: str | Path, kinds: tuple[type[nn.Module], ...], device: torch.device | str = "cpu") -> Any:
    """Build the model that `write_model` wrote to `path`.

    Args:
        path: of the file.
        kinds: the classes that it may be of.
        device: where to put it.

    Returns:
        The model, on `device`, in evaluation mode, the weights of its convolutions with the channels last.

    Raises:
        FernnError: if the file is missing or holds no such model.
    """
    try:
        with safe_open(str(path), "pt", device=str(device)) as file:
            about = json.loads((file.metadata() or {})["fernn"])
            build, config = {kind.__name__: kind for kind in kinds}[about["model"]], about["config"]
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
    except FileNotFoundError:
        raise FernnError(f"{path}: no such file. Expected a model that `fernn train` or `save_model` wrote.") from None
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise FernnError(
            f"{path}: not a model of this library ({error}). Expected a file that `save_model` wrote."
        ) from None
    try:
        model = build(**config).to(device)
        types = {value.dtype for value in weights.values() if value.is_floating_point()}
        if len(types) == 1:  # as it was saved: a network of float64 is one again
            model.to(types.pop())
        model = channels_last(model)
        model.load_state_dict(weights)
    except (RuntimeError, TypeError, FernnError) as error:
        said = " ".join(str(error).split())
        raise FernnError(
            f"{path}: damaged, or of another version: its {about['model']} cannot be built ({said[:200]}). "
            "Expected a file that `save_model` of this version wrote."
        ) from None
    return model.eval()
