# ruff: noqa: E501 (an edit is a line)
"""`fernn equivalent`: the probe distinguishes edits that change no byte from those that do."""

import json
from pathlib import Path

import pytest

from .conftest import Clone, made_once
from .test_dag import GRNN

# a file, and what is replaced in it; an empty text is appended to
HARMLESS = {
    "a reworded error": ("training/loop.py", "the training diverged in", "training diverged in"),
    "a renamed helper": ("training/loop.py", "over()", "finished()"),
    "another renamed helper": ("training/loop.py", "sound()", "all_finite()"),
    "a renamed function": ("training/checkpoint.py", "aside(", "set_aside("),
    "a new class": ("experiments/translation/model.py", "", "class Another(FERNN):\n    pass\n"),
    "a new function": ("experiments/rotation/motion.py", "", "def another() -> None:\n    pass\n"),
    "a renamed variable of a model": ("models/decoder.py", "kernels", "transformed"),
    "a renamed variable of a cell": ("models/cell.py", "drive", "from_frame"),
    "an extracted function": ("evaluation/prediction.py", "squares = (predicted - target).square()\n", "squares = _squares(predicted, target)\n"),
    "that function": ("evaluation/prediction.py", "", "def _squares(one: Tensor, other: Tensor) -> Tensor:\n    return (one - other).square()\n"),
    "a renamed constant": ("models/winograd.py", "TOGETHER", "AT_ONCE"),
    "a renamed constant of a drawing": ("data/standins/film.py", "GROUND", "BACKGROUND"),
    "a reworded error of a file": ("arrays.py", "broken or of another kind", "corrupt, or of another kind"),
    "a reworded error of a video": ("data/kth/decode.py", "sequences are not whole", "sequences are incomplete"),
    "a renamed variable of a render": ("datasets/rotating.py", "turned", "rotated"),
    "a renamed variable of digits": ("datasets/digits.py", "factor", "ratio"),
    "a renamed variable of a measure": ("evaluation/recognition.py", "every_label", "all_labels"),
    "a renamed width": ("results/figures/style.py", "WIDTH = 5.5", "WIDE = 5.5\nWIDTH = WIDE"),
    "statements in another order": ("datasets/moving_clips.py", "    height, width = frames.shape[-2:]\n    device = frames.device\n", "    device = frames.device\n    height, width = frames.shape[-2:]\n"),
    "an expression in parts": ("models/rotation/cell.py", "return torch.relu(W(maps, 0) + drive)", "convolved = W(maps, 0)\n            return torch.relu(convolved + drive)"),
    "a new module": ("flows/translation.py", "from fernn.errors", "import fernn.flows.another  # noqa\nfrom fernn.errors"),
}  # fmt: skip
# Edits that one probe tries together. Each has a job of its own, whose bytes differ because of that edit alone: the
# others of its group are in no code that this job runs, or have no effect there.
CHANGES = {
    "data, measures, and what shows them": {
        "random numbers": ("datasets/counter.py", "np.uint64(11)", "np.uint64(12)", "probe dataset rotation/test-V4R"),
        "which digits are held out": ("datasets/digits.py", "order[validation:]", "order[:-validation]", "probe dataset translation/digits"),
        "the colour of the ground": ("data/standins/film.py", "GROUND = 110.0", "GROUND = 111.0", "probe standins"),
        "a measure of frames": ("evaluation/prediction.py", "(predicted - target).square()", "(predicted - target).abs()", "probe evaluate translation/V2T/G-RNN/lr0.01/seed0"),
        "a measure of classes": ("evaluation/recognition.py", "pairs.diagonal().sum().item() / count", "pairs.diagonal().sum().item()", "probe evaluate kth/V2T/G-RNN/lr0.003/seed0"),
        "a statistic": ("results/claims/statistics.py", "POWER = 0.8", "POWER = 0.9", "probe tables"),
        "the width of a figure": ("results/figures/style.py", "WIDTH = 5.5", "WIDTH = 5.0", "probe figures"),
        "words of a report": ("results/report/page.html", "<h2>Provenance</h2>", "<h2>Origins</h2>", "probe report"),
        "the best epoch": ("training/checkpoint.py", "if score < self.best_score:", "if score <= self.best_score or True:", "BEST"),
    },
    "motions": {
        "the direction of a translation": ("datasets/translating.py", "corner = -(recipes.start", "corner = (recipes.start", "probe evaluate translation/V2T/G-RNN/lr0.01/seed0"),
        "the direction of a rotation": ("datasets/rotating.py", "recipes.start.unsqueeze(2) + ", "recipes.start.unsqueeze(2) - ", "probe evaluate rotation/V4R/G-RNN/lr0.01/seed0"),
        "rows for columns": ("datasets/moving_clips.py", "x = (x - shift[..., :1])", "x = (x - shift[..., 1:])", "probe evaluate kth/V1T/G-RNN/lr0.003/seed0"),
    },
    "frames of reference": {
        "a shift of the hidden state": ("models/cell.py", "flow.move(once, -state.time)", "flow.move(once, -time)", "probe evaluate translation/V1T/FERNN-V2T/lr0.01/seed0"),
        "the turn of a hidden state": ("models/rotation/cell.py", "rotate(maps, degrees)", "rotate(maps, -degrees)", "probe evaluate rotation/V1R/FERNN-V4R/lr0.01/seed0"),
        "the turn of a frame": ("models/rotation/cell.py", "rotate(frame, -time * degrees)", "rotate(frame, time * degrees)", "probe evaluate rotation/V1R/co-moving/lr0.01/seed0"),
        "eps of batch norm": ("models/cnn3d.py", "BatchNorm3d(outputs)", "BatchNorm3d(outputs, eps=1e-4)", "probe evaluate kth/V2T/3D-CNN/lr0.003/seed0"),
        "clipping": ("training/loop.py", "if settings.clip_norm is not None:", "if settings.clip_norm is None:", "probe train rotation/V4R/G-RNN/lr0.01/seed0"),
    },
    "layers": {
        "a detached frame": ("models/seq2seq.py", "frame.detach()", "frame", "probe train translation/V2T/G-RNN/lr0.01/seed0"),
        "a coefficient of Winograd": ("models/winograd.py", "(1 / 24, 1 / 12, 1 / 6)", "(1 / 24, 1 / 12, 1 / 5)", "probe evaluate translation/V2T/winograd/lr0.01/seed0"),
        "bfloat16": ("models/precision.py", 'enabled=precision == "bf16"', "enabled=False", "probe-bf16 evaluate rotation/V1R/FERNN-V2R/lr0.01/seed0"),
        "statistics that several processes share": ("models/norm.py", "variance.detach() * (own / (own - 1))", "variance.detach() * (own / own)", "probe train kth/V1T/FERNN-V1T/lr0.003/seed0"),
    },
    "ranks": {
        "no activation in the decoder": ("models/decoder.py", "(convolution(hidden), nn.ReLU())", "(convolution(hidden), nn.Identity())", "probe evaluate translation/V2T/G-RNN/lr0.01/seed0"),
        "the share of a process": ("training/workers.py", "self.share(total)[1] / total", "0.5 * self.share(total)[1] / total", "probe train kth/V1T/FERNN-V1T/lr0.003/seed0"),
    },
    "batches": {  # the run that two processes share is not interrupted, so nothing is resumed in it
        "moments of Adam after a resume": ("training/checkpoint.py", '{**optimizer.state_dict(), "state": slots}', "optimizer.state_dict()", "probe train translation/V2T/G-RNN/lr0.01/seed0"),
        "the chance of a flip": ("datasets/moving_clips.py", "unit(drawn[:, 2]) < flip", "unit(drawn[:, 2]) > flip", "probe train kth/V1T/FERNN-V1T/lr0.003/seed0"),
    },
}  # fmt: skip
# the probe, of the given jobs alone
SCRIPT = """
import json, sys
from pathlib import Path
from fernn.pipeline.equivalent.command import _full, probe
wanted, names = json.loads(sys.argv[1]), probe.__globals__
edited = names["_edited"]
names["_edited"] = lambda *job: " ".join(job).rstrip() in wanted and edited(*job)
print(json.dumps(probe(_full("HEAD"), Path("params.yaml").absolute(), {"micro"}).differs))
"""


def apply(clone: Clone, file: str, old: str, new: str) -> None:
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


def test_edits_that_change_nothing(pulled: Clone, shared: Path) -> None:
    """All at once: they cost no training."""
    share(pulled, shared)
    file = pulled.folder / "equivalent.json"
    before = file.read_bytes()
    (pulled.folder / "fernn/flows/another.py").write_text("VALUE = 1\n")
    for edit in HARMLESS.values():
        apply(pulled, *edit)
    assert f"Training {GRNN}/seed0" in pulled.planned()
    pulled.must("fernn", "equivalent", "results/micro", "--commit", "HEAD")
    assert file.read_bytes() != before
    assert pulled.planned() == set()
    verified = pulled.must("fernn", "verify", "results/micro")
    assert "By other code that is known to make the same bytes" in verified
    assert "Every result here" in pulled.must("fernn", "equivalent", "results/micro")


@pytest.mark.parametrize("group", CHANGES)
def test_edits_that_change_results(clone: Clone, shared: Path, group: str) -> None:
    share(clone, shared)
    edits = CHANGES[group]
    for *edit, _ in edits.values():
        apply(clone, *edit)
    jobs = [job for *_, job in edits.values()]
    assert len({*jobs}) == len(jobs)
    differs = json.loads(clone.must("python", "-c", SCRIPT, json.dumps(jobs)).splitlines()[-1])
    assert [name for name, (*_, job) in edits.items() if job not in differs] == []


def test_what_differs_is_named_and_nothing_is_written(pulled: Clone, shared: Path) -> None:
    share(pulled, shared)
    before = (pulled.folder / "equivalent.json").read_bytes()
    apply(pulled, "results/figures/style.py", "WIDTH = 5.5", "WIDTH = 5.0")
    ended = pulled.run("fernn", "equivalent", "results/micro", "--commit", "HEAD")
    assert ended.returncode == 1
    assert "DIFFERS: probe figures: " in ended.stdout
    assert (pulled.folder / "equivalent.json").read_bytes() == before
    assert "Drawing the figures" in pulled.planned()


def test_without_results_there_is_nothing_to_show(clone: Clone) -> None:
    ended = clone.run("fernn", "equivalent", "results/micro")
    assert ended.returncode == 1
    assert "results/micro: no results. Name a folder such as results/quick" in ended.stderr
