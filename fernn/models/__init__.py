"""The recurrent networks of the paper, each importable from here.

The names are those of `fernn.models.registry`, which imports every model. It is imported on first use: this package
runs whenever one of its modules is imported, and a training must not depend on the code of all other models.
"""

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fernn.models.registry import *  # noqa: F403


def __getattr__(name: str) -> Any:
    if find_spec(f"{__name__}.{name}") is not None:
        raise AttributeError(name)  # a module of this package, which Python imports then
    return getattr(import_module("fernn.models.registry"), name)
