"""The shape of params.yaml, but for the sections of the experiments, which lie with each experiment."""

from fernn.params.base import Params

__all__ = ["Params"]
