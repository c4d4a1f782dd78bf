"""The paper's experiments, a folder for each: what its stages depend on, how each is done, and what is shown of it."""

from typing import TYPE_CHECKING

from fernn.lazy import exports

if TYPE_CHECKING:
    from fernn.experiments.loading import experiments, find_experiment, json_schema, load_params, overridden, resolve

__all__ = ["experiments", "find_experiment", "json_schema", "load_params", "overridden", "resolve"]
__getattr__ = exports(__name__, dict.fromkeys(__all__, "loading"))
