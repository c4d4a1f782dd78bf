"""That the benchmark measures what it says. How fast things are is not a matter of tests."""

import pytest
import torch

from benchmarks import floor, pace, timing, translation
from benchmarks.report import Options, page
from fernn.experiments import load_params
from fernn.models import FERNNPredictor

CPU = torch.device("cpu")


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


def test_operations_of_a_step():
    """V_1 on 5x6 pixels, 2 frames seen and 2 predicted: h_1 is one map, and so is the first product with W."""
    model = FERNNPredictor("V1T", hidden_channels=3, decoder_layers=1)
    frames = torch.randn(1, 2, 1, 5, 6)
    counted = floor.count(lambda: model(frames, 2).sum(), sequences=4)
    maps_of_u, maps_of_w, decoded = 4, 1 + 2 * 9, 2
    kernels = maps_of_u * 3 * 1 + maps_of_w * 3 * 3 + decoded * (3 * 3 + 3 * 1)
    assert counted.forward == 4 * 2 * 9 * 30 * kernels
    assert counted.forward < counted.backward <= 2 * counted.forward  # no gradient of the frames


def test_floor_is_operations_over_rate():
    assert floor.Rate(forward=10.0, backward=5.0).floor(floor.Operations(20, 30)) == 8.0


@pytest.mark.slow
def test_page_at_the_quick_scale(root, monkeypatch):
    monkeypatch.setattr(timing, "AT_LEAST", 1e-9)  # every piece of work once
    said = []
    options = Options(load_params(root / "params.yaml", "quick"), CPU, 1, 1, said.append)
    text = page(options, translation.measure(options))
    rows = {line.split("|")[1].strip() for line in text.splitlines() if line.startswith("|")}
    assert {"library, float32", "library, bf16", "plain, float32", "library", "plain"} <= rows
    assert torch.__version__ in text
    assert max(map(len, text.splitlines())) <= 120
    assert any("round 1 of 1: plain" in line for line in said)


def test_the_pace_of_each_model(root, monkeypatch):
    monkeypatch.setattr(timing, "AT_LEAST", 1e-9)
    params = load_params(root / "params.yaml", "quick").model_copy(update={"experiments": ["translation", "kth"]})
    (table,) = pace.measure(Options(params, CPU, 1, None, str))
    section = params.translation
    rows = {row[0]: dict(zip(table.columns, row, strict=True)) for row in table.rows}
    assert {*rows} == {f"{name}, {model}" for name in params.experiments for model in params.section(name).models}
    row = rows["translation, FERNN-V2T"]
    batch, epochs = section.training.batch, section.training.epochs
    assert (row["batch"], row["steps"]) == (str(batch), str(epochs * section.data.train // batch))
    measured, counted = (float(row[each].split()[0]) for each in ("peak memory", "counted"))
    assert 0.5 < measured / counted < 2  # the formula that `auto` goes by
    assert pace.measure(Options(load_params(root / "params.yaml", "paper"), CPU, 1, None, str)) == []
