"""That the cost against the number of generators is measured as its page says. What it is, is not a matter of tests."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import cost, timing
from benchmarks.cost import fit
from benchmarks.report import IMAGES, Options, page
from fernn.experiments import load_params

SIDE, SEEN, PREDICTED, CHANNELS = 6, 3, 2, 4


@pytest.fixture
def options(root, monkeypatch) -> Options:
    """Small sizes: 6x6 pixels, three frames seen and two predicted, a sequence."""
    monkeypatch.setattr(timing, "AT_LEAST", 1e-9)  # every piece of work once
    params = load_params(root / "params.yaml", "quick")
    data = {"frame": SIDE, "digit": SIDE, "seen": SEEN, "predicted": PREDICTED}
    small = {
        name: section.model_copy(update={"data": section.data.model_copy(update=data)})
        for name, section in (("translation", params.translation), ("rotation", params.rotation))
    }
    sizes = params.translation.architecture.model_copy(update={"hidden_channels": CHANNELS})
    small["translation"] = small["translation"].model_copy(update={"architecture": sizes})
    return Options(params.model_copy(update=small), torch.device("cpu"), 1, None, lambda line: None)


def operations(step) -> int:
    with FlopCounterMode(display=False) as counter:
        step()
    return counter.get_total_flops()


def line_of_operations(sweep: cost.Sweep) -> tuple[float, float, float]:
    """Slope, fixed part and that of the decoder alone, in products of a 3x3 kernel of one channel with a frame."""
    counted = {name: operations(step) for name, step in sweep.steps().items()}
    line = fit([len(flow) for flow in sweep.flows.values()], [counted[name] for name in sweep.flows])
    assert line.residual < 1e-12, "operations are no line in |V|"
    unit = 2 * 9 * SIDE**2
    return line.slope / unit, line.fixed / unit, counted[cost.DECODER] / unit


def test_least_squares():
    line = fit([0, 1, 2], [0.0, 0.0, 3.0])
    assert (line.fixed, line.slope) == pytest.approx((-0.5, 1.5))
    assert line.residual == pytest.approx(1.5**0.5 / 3)
    assert fit([1, 9, 25], [5.0, 21.0, 53.0]).residual < 1e-12


def test_translation_pays_the_hidden_convolution_at_all_frames_but_two(options):
    """Forward, gradient of maps and gradient of weights of W; of U, which takes the frame in, no gradient of frames."""
    slope, fixed, decoder = line_of_operations(cost.translations(options))
    frames, hidden, lifting = SEEN + PREDICTED, 3 * CHANNELS**2, 2 * CHANNELS
    assert slope == pytest.approx((frames - 2) * hidden)
    assert decoder == pytest.approx(PREDICTED * (2 * 3 * CHANNELS**2 + 3 * CHANNELS))  # quick: two hidden layers
    assert fixed == pytest.approx(decoder + hidden + frames * lifting)  # what all generators share


def test_table_and_picture(options, tmp_path):
    (table,) = cost.measure(options)
    names = ["A, V0T", "A, V1T", "A, V2T", "A, V3T", "A, decoder alone"]
    names += ["B, V0R", "B, V1R", "B, V2R", "B, V3R", "B, V4R", "B, decoder alone"]
    assert [row[0] for row in table.rows] == names
    assert [row[1] for row in table.rows] == ["1", "9", "25", "49", "", "1", "3", "5", "7", "9", ""]
    assert [row[3] for row in table.rows if "V0" in row[0]] == ["1", "1"]
    memory = [float(row[-1].removesuffix(" MiB")) for row in table.rows]
    assert memory[:4] == sorted(memory[:4])
    assert fit([1, 9, 25, 49], memory[:4]).residual < 0.05

    text = page(options, [table])
    assert max(map(len, text.splitlines())) <= 120
    assert "3 of 5 frames in A" in text
    assert "4 of 5 in B" in text
    assert "6x6 pixels, batch 1, 3 frames seen and 2 predicted" in text
    assert f"]({IMAGES}/cost_against_generators.png)" in text
    table.picture.write(tmp_path / "page.md")
    assert (tmp_path / IMAGES / "cost_against_generators.png").read_bytes().startswith(b"\x89PNG")
