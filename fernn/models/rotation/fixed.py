"""Numbers that follow from the sizes of a module."""

from typing import Any, Self

from torch import Tensor, nn


class Fixed(nn.Module):
    """A module with numbers that follow from its sizes: not in its state, and exact wherever and in whatever it is.

    They are made anew at each change of device or precision. Converted as buffers are, they would stay rounded once the
    module was in bfloat16, and be nothing at all where it comes from the meta device.
    """

    weights: nn.Parameter

    def fix(self, **numbers: Tensor) -> None:
        """Keep these, by name, beside `weights`."""
        self._exact = numbers
        for name, exact in numbers.items():
            self.register_buffer(name, exact.to(self.weights, copy=True), persistent=False)

    def _apply(self, fn: Any, recurse: bool = True) -> Self:
        for name in self._exact:  # some have an axis more than torch's orders of memory know
            self._buffers[name] = None
        try:
            super()._apply(fn, recurse)
        finally:
            for name, exact in self._exact.items():
                self._buffers[name] = exact.to(self.weights, copy=True)
        return self
