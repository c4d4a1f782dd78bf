"""params.yaml, which holds every number of every experiment: its shape, reading it, merging a scale, checking it."""

from fernn.params.loading import check_overrides
from fernn.params.schema import Params

__all__ = ["Params", "check_overrides"]
