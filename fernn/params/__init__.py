"""params.yaml, which holds every number of every experiment: the shape of what all experiments have in common."""

from fernn.params.schema import Params

__all__ = ["Params"]
