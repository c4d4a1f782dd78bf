import os
import random
import subprocess
from collections import defaultdict
from math import ceil
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


@pytest.hookimpl(trylast=True)  # marks are given by then
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The automatic check tries a share of tests that are alike, others with each commit; by hand all are tried."""
    if os.environ.get("CI") != "true" or os.environ.get("FERNN_FAULTS") == "all":
        return
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True).stdout.strip()
    groups = defaultdict(list)
    for item in items:
        if mark := item.get_closest_marker("drawn"):
            name = mark.kwargs.get("group", item.nodeid.partition("[")[0])
            groups[name, mark.kwargs["share"]].append(item)
    left = set()
    for (name, share), of in groups.items():
        left |= {*of} - {*random.Random(f"{commit} {name}").sample(of, ceil(len(of) * share))}
    config.hook.pytest_deselected(items=[item for item in items if item in left])
    items[:] = [item for item in items if item not in left]


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
