"""The quick scale, before anything of it has run."""

from pathlib import Path

import pytest

from fernn.experiments import load_params
from fernn.layout import Layout
from fernn.params import Params

ROOT = Path(__file__).parents[2]


@pytest.fixture
def params() -> Params:
    return load_params(ROOT / "params.yaml", "quick")


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout("quick", tmp_path)
