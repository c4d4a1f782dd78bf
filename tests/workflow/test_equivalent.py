# ruff: noqa: E501 (an edit is a line)
"""`fernn equivalent`: the probe distinguishes edits that change no byte from those that do."""

import json
from pathlib import Path

import pytest

from .conftest import Clone, made_once
from .test_dag import GRNN

# by hand: a file, and what is replaced in it; an empty text is appended to
Edit = tuple[str, str, str]
HARMLESS: dict[str, Edit] = {
    "a reworded error": ("training/loop.py", "the training diverged in", "training diverged in"),
    "a renamed helper": ("training/loop.py", "over()", "finished()"),
    "another renamed helper": ("training/loop.py", "sound()", "all_finite()"),
    "a renamed function": ("training/checkpoint.py", "aside(", "set_aside("),
    "a new class": ("models/predictor.py", "", "class Another(FERNNPredictor):\n    pass\n"),
    "a new function": ("datasets/rotating.py", "", "def another() -> None:\n    pass\n"),
    "a renamed variable of a model": ("models/seq2seq.py", "kernels", "transformed"),
    "a renamed variable of a cell": ("models/cell.py", "drive", "from_frame"),
    "an extracted function": (
        "evaluation/prediction.py",
        "        squares = (predicted - target).square()\n",
        "        squares = _squares(predicted, target)\n",
    ),
    "a renamed constant": ("models/winograd.py", "TOGETHER", "AT_ONCE"),
    "a renamed constant of a drawing": ("data/kth/synthetic.py", "PERIOD", "CYCLE"),
    "a reworded error of a file": ("arrays.py", "broken or of another kind", "corrupt, or of another kind"),
    "a reworded error of a video": ("data/kth/decode.py", "sequences are not whole", "sequences are incomplete"),
    "a renamed variable of a render": ("datasets/rotating.py", "turned", "rotated"),
    "a renamed variable of digits": ("datasets/digits.py", "factor", "ratio"),
    "a renamed variable of a measure": ("evaluation/recognition.py", "every_label", "all_labels"),
    "a renamed width": ("results/figures/style.py", "WIDTH = 5.5", "WIDE = 5.5\nWIDTH = WIDE"),
    "statements in another order": (
        "datasets/moving_clips.py",
        "    height, width = frames.shape[-2:]\n    device = frames.device\n",
        "    device = frames.device\n    height, width = frames.shape[-2:]\n",
    ),
    "an expression in parts": (
        "models/rotation/cell.py",
        "return torch.relu(W(maps, 0) + drive)",
        "convolved = W(maps, 0)\n            return torch.relu(convolved + drive)",
    ),
    "a new module": (
        "flows/translation.py",
        "from fernn.errors",
        "import fernn.flows.another  # noqa\nfrom fernn.errors",
    ),
}
CHANGES: dict[str, Edit] = {
    "random numbers": ("datasets/counter.py", "np.uint64(11)", "np.uint64(12)"),
    "which digits are held out": ("datasets/digits.py", "order[validation:]", "order[:-validation]"),
    "the direction of a translation": ("datasets/translating.py", "corner = -(recipes.start", "corner = (recipes.start"),
    "the direction of a rotation": ("datasets/rotating.py", "recipes.start.unsqueeze(2) + ", "recipes.start.unsqueeze(2) - "),
    "the chance of a flip": ("datasets/moving_clips.py", "unit(drawn[:, 2]) < flip", "unit(drawn[:, 2]) > flip"),
    "rows for columns": ("datasets/moving_clips.py", "x = (x - shift[..., :1])", "x = (x - shift[..., 1:])"),
    "the period of a motion": ("data/kth/synthetic.py", "PERIOD = 24.0", "PERIOD = 25.0"),
    "a shift of the hidden state": ("models/cell.py", "flow.move(once, -state.time)", "flow.move(once, -time)"),
    "a detached frame": ("models/seq2seq.py", "frame.detach()", "frame"),
    "no activation in the decoder": ("models/seq2seq.py", "(convolution(hidden), nn.ReLU())", "(convolution(hidden), nn.Identity())"),
    "eps of batch norm": ("models/cnn3d.py", "BatchNorm3d(outputs)", "BatchNorm3d(outputs, eps=1e-4)"),
    "statistics that several processes share": ("models/norm.py", "variance.detach() * (own / (own - 1))", "variance.detach() * (own / own)"),
    "the turn of a hidden state": ("models/rotation/cell.py", "rotate(maps, degrees)", "rotate(maps, -degrees)"),
    "the turn of a frame": ("models/rotation/cell.py", "rotate(frame, -time * degrees)", "rotate(frame, time * degrees)"),
    "a coefficient of Winograd": ("models/winograd.py", "(1 / 24, 1 / 12, 1 / 6)", "(1 / 24, 1 / 12, 1 / 5)"),
    "bfloat16": ("models/precision.py", 'enabled=precision == "bf16"', "enabled=False"),
    "clipping": ("training/loop.py", "if training.clip_norm is not None:", "if training.clip_norm is None:"),
    "moments of Adam after a resume": ("training/checkpoint.py", '{**optimizer.state_dict(), "state": slots}', "optimizer.state_dict()"),
    "the share of a process": ("training/distributed.py", "self.shard(total)[1] / total", "0.5 * self.shard(total)[1] / total"),
    "the best epoch": ("training/checkpoint.py", "if score < self.best_score:", "if score <= self.best_score or True:"),
    "a measure of frames": ("evaluation/prediction.py", "(predicted - target).square()", "(predicted - target).abs()"),
    "a measure of classes": ("evaluation/recognition.py", "pairs.diagonal().sum().item() / count", "pairs.diagonal().sum().item()"),
    "a statistic": ("results/claims/statistics.py", "POWER = 0.8", "POWER = 0.9"),
    "the width of a figure": ("results/figures/style.py", "WIDTH = 5.5", "WIDTH = 5.0"),
    "words of a report": ("results/report/page.html", "<h2>Provenance</h2>", "<h2>Origins</h2>"),
}  # fmt: skip
SCRIPT = """
import json
from pathlib import Path
from fernn.pipeline.equivalent import _full, probe
found = probe(_full("HEAD"), Path("params.yaml").absolute(), {"micro"}, first=True)
print(json.dumps([found.differs, found.same]))
"""


def apply(clone: Clone, edit: Edit) -> None:
    file, old, new = edit
    path = clone.folder / "fernn" / file
    text = path.read_text()
    assert old in text, file
    path.write_text(text.replace(old, new) if old else f"{text}\n\n{new}")


@pytest.fixture
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the results of the probe by the committed code are kept for all tests."""
    return made_once(tmp_path_factory, "probe", Path.touch)


def share(clone: Clone, shared: Path) -> Clone:
    (clone.folder / "build").mkdir()
    (clone.folder / "build/probe").symlink_to(shared)
    return clone


@pytest.fixture
def probed(clone: Clone, shared: Path) -> Clone:
    return share(clone, shared)


def probe(clone: Clone) -> tuple[dict[str, list[str]], dict[str, dict[str, list[str]]]]:
    """What differs, and which results of scale micro are the same by both codes."""
    found = json.loads(clone.must("python", "-c", SCRIPT).splitlines()[-1])
    return found[0], found[1]


def test_edits_that_change_nothing(probed: Clone) -> None:
    (probed.folder / "fernn/flows/another.py").write_text("VALUE = 1\n")
    for edit in HARMLESS.values():
        apply(probed, edit)
    with (probed.folder / "fernn/evaluation/prediction.py").open("a") as file:
        file.write("\n\ndef _squares(one: Tensor, other: Tensor) -> Tensor:\n    return (one - other).square()\n")
    differs, same = probe(probed)
    assert differs == {}
    kinds = {job.partition(" ")[0] for job in same["micro"]}
    assert kinds == {"dataset", "train", "evaluate", "tables", "figures", "report"}


@pytest.mark.drawn(share=1 / 25)
@pytest.mark.parametrize("name", CHANGES)
def test_edits_that_change_results(probed: Clone, name: str) -> None:
    apply(probed, CHANGES[name])
    differs, _ = probe(probed)
    assert differs


def test_a_reworded_message_costs_no_training(pulled: Clone, shared: Path) -> None:
    share(pulled, shared)
    file = pulled.folder / "equivalent.json"
    apply(pulled, HARMLESS["a reworded error"])
    assert f"Training {GRNN}/seed0" in pulled.planned()
    pulled.must("fernn", "equivalent", "results/micro", "--commit", "HEAD")
    assert pulled.planned() == set()
    verified = pulled.must("fernn", "verify", "results/micro")
    assert "By other code that is known to make the same bytes" in verified
    assert "Every result here" in pulled.must("fernn", "equivalent", "results/micro")
    # an edit that changes numbers is named, and nothing is written
    before = file.read_bytes()
    apply(pulled, CHANGES["clipping"])
    ended = pulled.run("fernn", "equivalent", "results/micro", "--commit", "HEAD")
    assert ended.returncode == 1
    assert "DIFFERS: probe train rotation/V4R/G-RNN/lr0.01/seed0: " in ended.stdout
    assert file.read_bytes() == before
    assert f"Training {GRNN}/seed0" in pulled.planned()


def test_without_results_there_is_nothing_to_show(clone: Clone) -> None:
    ended = clone.run("fernn", "equivalent", "results/micro")
    assert ended.returncode == 1
    assert "results/micro: no results. Name a folder such as results/quick" in ended.stderr
