from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, settings

# the same examples on every run: a failure repeats, and a slow machine is no failure
settings.register_profile(
    "repeatable",
    deadline=None,
    derandomize=True,
    database=None,
    max_examples=25,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("repeatable")

torch.set_num_threads(1)  # the arrays of the tests are too small for more

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def root() -> Path:
    """The folder of the project."""
    return ROOT
