"""A digest of code covers what a stage runs and means, and nothing else."""

import shutil
from pathlib import Path

import pytest

from fernn.provenance import code
from fernn.provenance.code import code_digest, code_of, meaning
from fernn.provenance.digests import identity

STAGES = ["datasets", "train", "evaluate"]
DIGITS = ("translation", "rotation")

# every root of a digest: what makes a kind of result
ROOTS = {
    "standins": "data.standins.make",
    "digits": "experiments.flowing_digits.digits",
    "frames": "experiments.kth.frames",
    "sequences A": "experiments.translation.datasets",
    "sequences B": "experiments.rotation.datasets",
    "clips": "experiments.kth.clips",
    "train A": "experiments.translation.train",
    "train B": "experiments.rotation.train",
    "train C": "experiments.kth.train",
    "evaluate A": "experiments.translation.evaluate",
    "evaluate B": "experiments.rotation.evaluate",
    "evaluate C": "experiments.kth.evaluate",
    "tables": "results.tables",
    "figures": "results.figures",
}
TRAIN, EVALUATE = {"train A", "train B", "train C"}, {"evaluate A", "evaluate B", "evaluate C"}
OF_A = {"sequences A", "train A", "evaluate A"}
OF_B = {"sequences B", "train B", "evaluate B"}
ALL = set(ROOTS)

# by hand: a constant of a module, and who must notice when it is another
MUTATIONS = [
    ("datasets/digits.py", "VALIDATION_SHARE = 0.1", "VALIDATION_SHARE = 0.2", {"digits"}),
    ("datasets/counter.py", "np.uint64(11)", "np.uint64(12)", ALL - {"standins", "frames", "tables", "figures"}),
    ("data/kth/video.py", "FULL_RANGE = 2", "FULL_RANGE = 1", {"frames"}),
    ("data/standins/film.py", "GROUND = 110.0", "GROUND = 111.0", {"standins"}),
    (
        "models/cell.py",
        "def __init__(",
        "WEIGHT = 1\n\n    def __init__(",
        {"train A", "train C", "evaluate A", "evaluate C"},
    ),
    ("models/stem.py", "eps: float = 1e-5", "eps: float = 1e-4", {"train C", "evaluate C"}),
    ("models/cnn3d.py", "base: int = 16", "base: int = 8", {"train C", "evaluate C"}),
    ("models/rotation/basis.py", "TOLERANCE = 1e-5", "TOLERANCE = 1e-4", {"train B", "evaluate B"}),
    ("models/storage.py", "return model.eval()", "return model.half().eval()", TRAIN | EVALUATE),
    ("models/__init__.py", '"CNN3D",', '"CNN3D", "load",', set()),  # an index of names
    (
        "models/__init__.py",
        "__all__ =",
        "torch = None\n__all__ =",
        TRAIN | EVALUATE,
    ),  # runs whenever a model is imported
    ("__init__.py", "__version__ = ", '__version__ = "9" or ', set()),
    ("training/loop.py", "fused=True", "fused=False", TRAIN),
    ("training/checkpoint.py", "self.epoch += 1", "self.epoch += 2", TRAIN),
    ("training/device.py", '":4096:8"', '":16:8"', TRAIN | EVALUATE),
    ("training/outcome.py", "done.weights", "None", TRAIN),
    ("evaluation/outcome.py", '"measures": measures', '"measures": {}', EVALUATE),
    ("experiments/flowing_digits/evaluation.py", "SAMPLES = 4", "SAMPLES = 3", {"evaluate A", "evaluate B"}),
    ("results/published.py", "LIMIT = 2.0", "LIMIT = 3.0", {"tables"}),
    ("results/style.py", "WIDTH = 5.5", "WIDTH = 5.0", {"figures"}),
    ("results/selection.py", "def select(", "BEST = 1\n\n\ndef select(", {"tables", "figures"}),
    ("runs.py", '"evaluations"', '"evaluated"', {"tables", "figures"}),
    # what only fetches, waits, locks, shows, or directs the work
    ("data/transfer.py", "attempts: int = 5", "attempts: int = 6", set()),
    ("training/lock.py", "beat: float = 10.0", "beat: float = 20.0", set()),
    ("training/progress.py", "LOOK, LOOK_IN_LOG = 1.0, 60.0", "LOOK, LOOK_IN_LOG = 2.0, 60.0", set()),
    ("outlook/doctor.py", "PATIENCE = 10", "PATIENCE = 20", set()),
    ("stages.py", "len(lines) > 10", "len(lines) > 20", set()),
]


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the library, whose digests are taken."""
    shutil.copytree(code.PACKAGE, tmp_path / "fernn", ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(code, "PACKAGE", tmp_path / "fernn")
    return tmp_path / "fernn"


def digests() -> dict[str, str]:
    return {name: code_digest.__wrapped__(f"fernn.{root}") for name, root in ROOTS.items()}


@pytest.mark.parametrize(("file", "old", "new", "notice"), MUTATIONS, ids=[f"{m[0]}-{m[1][:20]}" for m in MUTATIONS])
def test_who_notices_a_changed_constant(library: Path, file: str, old: str, new: str, notice: set[str]) -> None:
    before = digests()
    path = library / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    after = digests()
    assert {name for name in ROOTS if before[name] != after[name]} == notice


def test_words_mean_nothing(library: Path) -> None:
    """A comment, a docstring, a format, and what an error says, in every module."""
    before = digests()
    for path in library.rglob("*.py"):
        text = path.read_text()
        if "from __future__" not in text:
            text = f'"""Another docstring."""\n\n{text}'
        lines = [
            f"{line}  # a comment" if line.endswith(",") and '"' not in line else line for line in text.splitlines()
        ]
        path.write_text("\n".join([*lines, "", "# the end", ""]))
    errors = library / "models/storage.py"
    errors.write_text(errors.read_text().replace("not a model of this library", "no model of ours"))
    assert digests() == before


SAMPLE = """
import os as system
from typing import Any

class Net(Base, flag=True):
    size: int = 1_000
    def step(self, x: "Any", *rest, key=None, **more) -> float:
        async def later(): return [y async for y in x if (z := y) > 0x10]
        with open("a") as a, open("b"): pass
        try:
            value = f"{x!r:>{self.size}} {x=} \\u00e9\\u1c8a {{}}" "b" if not x else -1.5e-7 + 2j
        except* (ValueError, OSError) as error:
            raise RuntimeError(f"words {error}") from error
        match x:
            case [1, *others] | {"a": _, **others}: return x[1:, ..., ::2] @ x
            case Point(x=0) if x: del x.y
        return lambda a, /, b=(): (a if b else {**a, "c": {*b}}), *rest
"""


def test_one_value_on_every_python() -> None:
    """Found on Python 3.11.7, 3.12.1, 3.13.5 and 3.14.8."""
    assert identity(meaning(SAMPLE)) == "6782ba64fe1b467a"
    assert meaning("x = 1  # one") == meaning("'''words'''\nx = (1)\n")
    assert meaning("x = 1") != meaning("x = 2")
    assert meaning("raise A('b')") == meaning("raise A('c', d)") != meaning("raise B('b')")


def test_a_training_watches_its_models_and_data_but_no_downloads() -> None:
    found = code_of("fernn.experiments.translation.train")
    for part in ("models.cell", "models.kernels", "models.storage", "flows.translation", "training.loop"):
        assert f"fernn.{part}" in found
    for part in ("data.download", "params", "results.tables", "training.progress", "evaluation.prediction"):
        assert f"fernn.{part}" not in found


@pytest.mark.parametrize("experiment", DIGITS)
def test_data_sets_do_not_watch_models(experiment: str) -> None:
    for module in (f"{experiment}.datasets", "flowing_digits.digits"):
        assert not any(".models." in name for name in code_of(f"fernn.experiments.{module}"))


@pytest.mark.parametrize("stage", STAGES)
def test_experiments_with_digits_do_not_watch_each_other(stage: str) -> None:
    translation, rotation = (code_of(f"fernn.experiments.{name}.{stage}") for name in DIGITS)
    assert "fernn.datasets.rotating" in rotation
    own = ("experiments.rotation", "datasets.rotating", "flows.rotation", "models.rotation")
    assert not any(part in name for name in translation for part in own)
    own = ("experiments.translation", "datasets.translating", "flows.translation", "models.predictor")
    assert not any(part in name for name in rotation for part in own)


def test_identity_sees_swapped_values_and_the_order_of_lists() -> None:
    assert identity({"a": 1, "b": 2}) == identity({"b": 2, "a": 1})
    assert identity({"a": 1, "b": 2}) != identity({"a": 2, "b": 1})
    assert identity([0, 1]) != identity([1, 0])
