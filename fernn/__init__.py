"""Flow equivariant recurrent neural networks: the library and the pipeline that reproduces the paper.

Start with `fernn.models`, the networks. `fernn.flows` has their generators, `fernn.data` MNIST, `fernn.datasets` the
moving digits and clips; `fernn.compat` reads weights of the released code, and `fernn.errors` has the errors. All other
modules belong to the pipeline, whose stages are the subcommands of `fernn`.
"""

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

from fernn import sources

if TYPE_CHECKING:
    from fernn import compat, data, datasets, errors, flows, models

__version__ = "0.1.0"
__all__ = ["compat", "data", "datasets", "errors", "flows", "models"]

sources.install(sys._getframe().f_code)


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'fernn' has no attribute {name!r}")
    return import_module(f"fernn.{name}")


def __dir__() -> list[str]:
    return ["__doc__", "__version__", *__all__]
