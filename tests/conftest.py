import random
from pathlib import Path

import numpy as np
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
SEED = 0


@pytest.fixture(autouse=True)
def _seed() -> None:
    """What a test draws does not depend on the tests before it; pytest shows the line where a test fails."""
    random.seed(SEED)
    np.random.seed(SEED)  # noqa: NPY002
    torch.manual_seed(SEED)
    print(f"seed of random, NumPy and torch: {SEED}")


@pytest.fixture(scope="session")
def root() -> Path:
    """The folder of the project."""
    return ROOT
