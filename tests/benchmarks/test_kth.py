"""That the benchmark of moving KTH compares ways that do the same. How fast they are is not a matter of tests."""

import pytest
import torch

from benchmarks import floor, kth, timing
from benchmarks.report import Options, page
from fernn.datasets.moving_clips import gather
from fernn.experiments import load_params
from fernn.models import FERNNClassifier
from tests.reference import kth as plain_kth

CPU = torch.device("cpu")


def options(root, scale: str, say=lambda line: None) -> Options:
    return Options(load_params(root / "params.yaml", scale), CPU, 1, 1, say)


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


@pytest.mark.parametrize(("x", "y"), [(0, 0), (1, 0), (0, -2), (3, 2), (-5, 5)])
def test_a_one_hot_kernel_is_a_roll(x, y):
    image = torch.rand(5, 6)
    assert torch.equal(plain_kth.shifted_by_convolution(image, x, y), torch.roll(image, (y, x), (0, 1)))


def test_operations_of_a_step():
    """V_1 on 5x6 pixels, 3 frames: h_1 needs no W, and the first product with W is of one map."""
    model = FERNNClassifier("V1T", stem_channels=[2, 3], stem_kernels=[5, 3])
    counted = floor.count(lambda: model(torch.randn(1, 3, 1, 5, 6)).sum(), sequences=4)
    stem, hidden = 3 * (25 * 2 + 9 * 2 * 3), (1 + 9) * 9 * 3 * 3
    head = 3 * (3 * 6)  # its backward products are counted as forward ones; they are next to nothing
    assert counted.forward == 4 * 2 * (30 * (stem + hidden) + head)


@pytest.mark.slow
def test_page_at_the_quick_scale(root, monkeypatch):
    monkeypatch.setattr(timing, "AT_LEAST", 1e-9)  # every piece of work once
    said = []
    chosen = options(root, "quick", said.append)
    text = page(chosen, kth.measure(chosen))
    rows = {line.split("|")[1].strip() for line in text.splitlines() if line.startswith("|")}
    assert {"library, float32", "library, bf16", "plain, float32", "library", "plain"} <= rows
    assert "Experiment C: training step" in text
    assert "Experiment C: serving clips" in text
    assert max(map(len, text.splitlines())) <= 120
    assert {f"round 1 of 1: {name}" for name in ("plain", "library")} <= {line.rsplit(" ", 2)[0] for line in said}
