"""params.yaml, which holds every number of every experiment: read, merged with a scale, checked."""

from fernn.params.loading import check_overrides, json_schema, load_params, resolve
from fernn.params.schema import Experiment, Params

__all__ = ["Experiment", "Params", "check_overrides", "json_schema", "load_params", "resolve"]
