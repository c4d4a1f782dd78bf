"""Flows: one-parameter groups of transformations psi_t(nu) and the finite sets V of generators nu."""

from fernn.flows.rotation import Rotation
from fernn.flows.translation import Translation

__all__ = ["Rotation", "Translation"]
