"""One way to compare arrays in all tests: relative error by norms, with a tolerance for each precision."""

import torch
from torch import Tensor

DTYPES = [torch.float32, torch.float64]
TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-12, torch.bfloat16: 3e-2}


def relative_error(found: Tensor, expected: Tensor) -> float:
    """|found - expected| / |expected| by Euclidean norms; the plain difference where `expected` is all zero."""
    assert found.shape == expected.shape, f"shape {tuple(found.shape)}, expected {tuple(expected.shape)}"
    assert torch.isfinite(found).all(), "not finite"
    found, expected = found.detach().double(), expected.detach().double()
    return ((found - expected).norm() / (expected.norm() or 1)).item()


def assert_close(found: Tensor, expected: Tensor, what: str) -> None:
    """Equal within the tolerance of the precision of `found`."""
    error, allowed = relative_error(found, expected), TOLERANCE[found.dtype]
    assert error <= allowed, f"{what}: relative error {error:.2e}, allowed {allowed:.0e}"
