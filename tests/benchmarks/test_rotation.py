"""That the measurements of experiment B measure what they say."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import equivariance, rotation, timing
from benchmarks.memory import peak
from benchmarks.report import Options
from fernn.datasets import rotating
from fernn.experiments import load_params
from fernn.flows import Rotation
from tests.reference.rotation import render

CPU = torch.device("cpu")


@pytest.fixture
def options(root, monkeypatch) -> Options:
    monkeypatch.setattr(timing, "AT_LEAST", 1e-9)  # every piece of work once
    params = load_params(root / "params.yaml", "quick")
    # one size is enough here
    data = params.rotation.data.model_copy(update={"frame": params.rotation.data.digit})
    params = params.model_copy(update={"rotation": params.rotation.model_copy(update={"data": data})})
    return Options(params, CPU, 1, 1, lambda line: None)


@pytest.mark.slow
def test_tables(options, monkeypatch):
    monkeypatch.setattr(rotation, "WAYS", {name: rotation.WAYS[name] for name in ("library, float32", rotation.PLAIN)})
    convolutions, steps, rendering = rotation.measure(options)
    (library, plain) = convolutions.rows
    assert float(library[-1]) < 1e-5, "gradients of escnn's weights differ"
    assert plain[-2] == "1"
    assert [row[0] for row in steps.rows] == ["library, float32", rotation.PLAIN]
    assert all(row[-1].endswith(" GiB") and float(row[-1][:-4]) >= 0 for row in steps.rows)
    assert [row[0] for row in rendering.rows] == ["library", "plain"]


def test_equivariance_of_quarter_turns_is_exact(options):
    (table,) = equivariance.measure(options)
    assert float(table.rows[-1][1]) < 1e-6 < 1e-2 < float(table.rows[0][1])
    assert table.rows[-1][0] == "90°"


@given(seed=st.integers(0, 100), side=st.sampled_from([6, 8, 10]))
def test_plain_rendering_is_that_of_the_library(seed, side):
    pool = torch.randint(0, 256, (4, 8, 8), dtype=torch.uint8)
    recipes = rotating.RotationSampler(seed, "test", 4, 2, Rotation(2)).draw(3)
    assert (render(pool, recipes, 3, side) - rotating.render(pool, recipes, 3, side)).abs().max() < 1e-4


def test_peak_memory_is_that_of_the_tensors():
    """Two of 64 MiB, one after the other, and one of 16 MiB throughout."""

    def work() -> None:
        small = torch.ones(2**22)
        for _ in range(2):
            large = torch.ones(2**24)
            del large
        del small

    assert 80 * 2**20 <= peak(work, CPU) < 81 * 2**20
