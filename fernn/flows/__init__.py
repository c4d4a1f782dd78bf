"""Flows: one-parameter groups of transformations psi_t(nu) and the finite sets V of generators nu."""

from typing import TYPE_CHECKING

from fernn.lazy import exports

if TYPE_CHECKING:
    from fernn.flows.base import Flow
    from fernn.flows.rotation import Rotation
    from fernn.flows.scaling import Scaling
    from fernn.flows.translation import Shift1d, Translation

__all__ = ["Flow", "Rotation", "Scaling", "Shift1d", "Translation"]
__getattr__ = exports(
    __name__,
    {
        "Flow": "base",
        "Rotation": "rotation",
        "Scaling": "scaling",
        "Shift1d": "translation",
        "Translation": "translation",
    },
)
