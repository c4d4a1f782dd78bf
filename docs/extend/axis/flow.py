"""The flow: V_k^X, the velocities (v, 0) of V_k^T."""

from functools import cached_property

from fernn.flows.names import reach
from fernn.flows.translation import Translation


class Horizontal(Translation):
    """All whole-pixel velocities (v, 0) with |v| <= k."""

    @classmethod
    def parse(cls, name: str) -> "Horizontal":
        """Read a name such as "V2X"."""
        return cls(reach(name))

    @property
    def name(self) -> str:
        """In params.yaml and in file names."""
        return f"V{self.k}X"

    @cached_property
    def generators(self) -> tuple[tuple[int, int], ...]:
        """The (v, 0), by v."""
        return tuple((v, 0) for v in range(-self.k, self.k + 1))
