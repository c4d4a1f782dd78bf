"""That the benchmarks measure what they say. How fast things are is not a matter of tests."""

from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import kth, pace, rotation, timing, translation
from benchmarks.report import Options, page
from fernn.datasets import rotating
from fernn.datasets.moving_clips import gather
from fernn.experiments import load_params
from fernn.flows import Rotation
from tests.reference import kth as plain_kth
from tests.reference.rotation import render

CPU = torch.device("cpu")


@pytest.fixture
def once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every piece of work once."""
    monkeypatch.setattr(timing, "AT_LEAST", 1e-9)


def options(root: Path, scale: str, say=lambda line: None, batch: int | None = 1) -> Options:
    return Options(load_params(root / "params.yaml", scale), CPU, 1, batch, say)


def test_ways_take_turns(monkeypatch):
    clock, done = iter(range(1000)), []
    monkeypatch.setattr(timing.time, "perf_counter", lambda: float(next(clock)))  # every run takes one second
    found = timing.alternate({"a": lambda: done.append("a"), "b": lambda: done.append("b")}, 3, CPU)
    assert "".join(done) == "ab" + "ab" + "ba" + "ab"  # once each to warm up
    assert {name: times.seconds for name, times in found.items()} == {"a": (1.0,) * 3, "b": (1.0,) * 3}


def test_gain_is_that_of_the_rounds():
    ours, theirs = timing.Timing((1.0, 2.0, 10.0)), timing.Timing((2.0, 6.0, 10.0))
    assert ours.median == 2.0
    assert ours.gain_over(theirs) == (2.0, 1.0, 3.0)


def test_peak_memory_is_that_of_the_tensors():
    """Two of 64 MiB, one after the other, and one of 16 MiB throughout."""

    def work() -> None:
        small = torch.ones(2**22)
        for _ in range(2):
            large = torch.ones(2**24)
            del large
        del small

    assert 80 * 2**20 <= timing.peak(work, CPU) < 81 * 2**20


@pytest.mark.slow
@pytest.mark.parametrize(
    ("part", "letter", "ways"),
    [(translation, "A", timing.WAYS), (kth, "C", timing.WAYS), (rotation, "B", rotation.WAYS)],
)
def test_page_at_the_quick_scale(root, once, part, letter, ways):
    said = []
    chosen = options(root, "quick", said.append)
    text = page(chosen, part.measure(chosen))
    rows = {line.split("|")[1].strip() for line in text.splitlines() if line.startswith("|")}
    assert {*ways, "library", "plain"} - {"library, tf32"} <= rows
    assert f"Experiment {letter}: training step" in text
    assert torch.__version__ in text
    assert max(map(len, text.splitlines())) <= 120
    assert any("round 1 of 1: plain" in line for line in said)


@pytest.mark.slow
def test_both_ways_in_processes_of_their_own(root):
    (table,) = translation.alone(options(root, "quick"))
    assert [row[0] for row in table.rows] == ["library", "plain"]
    assert all(row[1].endswith("s") and row[3].endswith("B") for row in table.rows)


@pytest.mark.parametrize("scale", ["quick", "paper"])
def test_both_ways_serve_the_same_clips(root, scale):
    """The sign of the convolution is chosen so: a pixel looks at the place that it comes from."""
    chosen = options(root, scale)
    data, (frames, clips, flow) = chosen.params.kth.data, kth.made_up(chosen)
    assert flow.name == "V2T"
    assert len(clips) == chosen.params.kth.training.batch
    assert len(clips.velocity.unique(dim=0)) > len(clips) / 3  # of 25
    assert clips.flip.any() and not clips.flip.all()
    part = clips[:6]
    found = plain_kth.serve(frames, part, data.frames, data.stride)
    assert torch.allclose(found, gather(frames, part, data.frames, data.stride), rtol=0, atol=1e-6)


@given(seed=st.integers(0, 100), side=st.sampled_from([6, 8, 10]))
def test_plain_rendering_is_that_of_the_library(seed, side):
    pool = torch.randint(0, 256, (4, 8, 8), dtype=torch.uint8)
    recipes = rotating.RotationSampler(seed, "test", 4, 2, Rotation(2)).draw(3)
    assert (render(pool, recipes, 3, side) - rotating.render(pool, recipes, 3, side)).abs().max() < 1e-4


def test_the_pace_of_each_model(root, once):
    chosen = options(root, "quick", batch=None)
    params = chosen.params.model_copy(update={"experiments": ["translation", "kth"]})
    (table,) = pace.measure(Options(params, CPU, 1, None, str))
    section = params.translation
    rows = {row[0]: dict(zip(table.columns, row, strict=True)) for row in table.rows}
    assert {*rows} == {f"{name}, {model}" for name in params.experiments for model in params.section(name).models}
    row = rows["translation, FERNN-V2T"]
    batch, epochs = section.training.batch, section.training.epochs
    assert (row["batch"], row["steps"]) == (str(batch), str(epochs * section.data.train // batch))
    measured, counted = (float(row[each].split()[0]) for each in ("peak memory", "estimate"))
    assert 0.5 < measured / counted < 2  # the formula that `auto` goes by
    assert pace.measure(options(root, "paper")) == []
