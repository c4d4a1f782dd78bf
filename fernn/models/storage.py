"""Weights in memory and in files; a file (safetensors, no pickle) also has what builds its model again."""

import copy
import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from fernn.errors import FernnError
from fernn.files import atomic
from fernn.flows.base import whole

Network = TypeVar("Network", bound=nn.Module)


@dataclass(frozen=True)
class Model:
    """A network before it is built: its class, and the arguments of the class as plain values.

    Attributes:
        kind: the class as "module:class". The module is imported when the class is asked for, so what describes a
            network depends on no network's code.
        arguments: by name.
    """

    kind: str
    arguments: Mapping[str, Any]

    @staticmethod
    def is_class(kind: str) -> bool:
        """Whether `kind` names a class of a module of this package: digests of code know no other modules."""
        module, _, name = kind.partition(":")
        try:
            return name.isidentifier() and module.startswith("fernn.") and find_spec(module) is not None
        except ModuleNotFoundError:  # of the package above it
            return False

    @property
    def module(self) -> str:
        """The module of the class."""
        return self.kind.partition(":")[0]

    @property
    def network(self) -> type[nn.Module]:
        """The class.

        Raises:
            FernnError: if its module has no such class.
        """
        name = self.kind.partition(":")[2]
        found = getattr(import_module(self.module), name, None)
        if not (isinstance(found, type) and issubclass(found, nn.Module)):
            raise FernnError(f"{self.kind}: {self.module} has no class {name} derived from torch.nn.Module.")
        return found

    def build(self) -> nn.Module:
        """The network, with weights by torch's random generator."""
        return self.network(**self.arguments)


def channels_last(model: Network) -> Network:
    """Store the weights of a model's 2D convolutions with the channels last, where convolutions are fastest.

    The recurrence keeps its maps so. What a convolution gives for frames of one channel follows its weights, so with
    the weights in the other order each step would add maps of two orders.

    Args:
        model: any network; its weights are given new memory, with the values that they have.

    Returns:
        The same model.
    """
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch declares it late
    return model


def with_flow(network: Network, flow: Any, **config: Any) -> Network:
    """The network with other generators, in the same mode; weights and buffers are shared and not copied.

    Choose device and precision before: afterwards torch changes the weights for both, and the buffers for one.

    Args:
        network: has `flow` and `config`.
        flow: the other generators.
        config: what else changes in the other network's `config`.
    """
    shared = {id(each): each for each in chain(network.parameters(), network.buffers())}
    other: Any = copy.deepcopy(network, shared)
    other.flow = flow
    other.config |= {"flow": flow.name, **config}
    result: Network = other
    return result


def write_model(
    model: Any, kinds: tuple[type[nn.Module], ...], path: str | Path, weights: dict[str, Tensor] | None = None
) -> None:
    """Write a model to `path` atomically.

    Args:
        model: its `config` has the arguments of its class.
        kinds: the classes that it may be of.
        path: a file name, by convention *.safetensors.
        weights: written instead of the model's own, such as those of the best epoch.

    Raises:
        FernnError: if the model is of no such class, or its `config` would build another model.
    """
    if type(model) not in kinds:
        names = ", ".join(kind.__name__ for kind in kinds)
        raise FernnError(f"save_model got a {type(model).__name__}; it writes these: {names}.")
    _check_config(model)
    tensors = {name: value.detach().cpu().contiguous() for name, value in (weights or model.state_dict()).items()}
    # one metadata key only: the format keeps several in an order that changes from run to run
    about = json.dumps({"model": type(model).__name__, "config": model.config}, sort_keys=True, default=whole)
    with atomic(path) as temporary:
        temporary.write_bytes(save(tensors, {"fernn": about}))


def _check_config(model: Any) -> None:
    """Build the model once more, without weights, as `read_model` will."""
    try:
        with torch.device("meta"):
            again: Any = type(model)(**model.config)
        built = getattr(again, "flow", None), _shapes(again)
    except (FernnError, TypeError) as error:
        built = str(error), {}
    if built != (getattr(model, "flow", None), _shapes(model)):
        raise FernnError(
            f"save_model got a {type(model).__name__} that its config does not tell of ({model.config}): "
            "the file could not be read again. A flow or layers of your own belong to a class of your own "
            "(docs/extend.md)."
        )


def _shapes(model: nn.Module) -> dict[str, torch.Size]:
    return {name: value.shape for name, value in model.state_dict().items()}


def read_model(path: str | Path, kinds: tuple[type[nn.Module], ...], device: torch.device | str = "cpu") -> Any:
    """Build the model that `write_model` wrote to `path`.

    Args:
        path: of the file.
        kinds: the classes that it may be of.
        device: where to put it.

    Returns:
        The model, on `device`, in evaluation mode, the weights of its convolutions with the channels last.

    Raises:
        FernnError: if the file is missing or holds no such model, or there is no such device.
    """
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:  # torch has either for a device that is not there
        raise FernnError(f"{path}: there is no device {str(device)!r} to put it on ({error}).") from None
    try:
        with safe_open(str(path), "pt") as file:
            about = json.loads((file.metadata() or {})["fernn"])
            build, config = {kind.__name__: kind for kind in kinds}[about["model"]], about["config"]
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
    except FileNotFoundError:
        raise FernnError(f"{path}: no such file. Expected a model that `fernn train` or `save_model` wrote.") from None
    except (SafetensorError, KeyError, TypeError, ValueError, OSError) as error:
        raise FernnError(
            f"{path}: not a model of this library ({error}). Expected a file that `save_model` wrote."
        ) from None
    try:
        model = channels_last(load_weights(build(**config), weights))
    except (RuntimeError, TypeError, FernnError) as error:
        said = " ".join(str(error).split())
        raise FernnError(
            f"{path}: corrupt, or of another version: its {about['model']} cannot be built ({said[:200]}). "
            "Expected a file that `save_model` of this version wrote."
        ) from None
    return model.to(device).eval()


def load_weights(model: Network, weights: Mapping[str, Tensor]) -> Network:
    """Give a model these weights, in their precision: a network of float64 is one again.

    Raises:
        RuntimeError: if they are another model's.
    """
    types = {value.dtype for value in weights.values() if value.is_floating_point()}
    if len(types) == 1:
        model.to(types.pop())
    model.load_state_dict(weights)
    return model
