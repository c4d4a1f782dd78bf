"""A digest of code covers what a stage runs, and nothing else."""

import ast
import shutil
from pathlib import Path

import pytest

from fernn.experiments import load_params
from fernn.layout import Layout
from fernn.pipeline.jobs import Jobs
from fernn.provenance import code
from fernn.provenance.code import code_digest, code_of, meaning
from fernn.provenance.records import identity

# every root of a digest: the modules of what makes a kind of result
ROOTS = {
    "standins": ["data.kth.synthetic:make_standins"],
    "digits": ["experiments.digits.data:make_digits"],
    "frames": ["experiments.kth.data:make_frames"],
    "sequences A": ["experiments.digits.data:make_sequences", "datasets.translating"],
    "sequences B": ["experiments.digits.data:make_sequences", "datasets.rotating"],
    "trivial A": ["experiments.digits.data:make_trivial", "datasets.translating"],
    "trivial B": ["experiments.digits.data:make_trivial", "datasets.rotating"],
    "clips": ["experiments.kth.data:make_clips"],
    "train A": ["experiments.digits.train:train", "models.predictor", "datasets.translating"],
    "train B": ["experiments.digits.train:train", "models.rotation.predictor", "datasets.rotating"],
    "train C": ["experiments.kth.train:train", "models.classifier"],
    "train the 3D-CNN": ["experiments.kth.train:train", "models.cnn3d"],
    "evaluate A": ["experiments.digits.evaluate:evaluate", "models.predictor", "datasets.translating"],
    "evaluate B": ["experiments.digits.evaluate:evaluate", "models.rotation.predictor", "datasets.rotating"],
    "evaluate C": ["experiments.kth.evaluate:evaluate", "models.classifier"],
    "evaluate the 3D-CNN": ["experiments.kth.evaluate:evaluate", "models.cnn3d"],
    "tables": [
        "results.tables",
        *(f"experiments.{name}.tables" for name in ("digits", "kth")),
        *(f"experiments.{name}.evidence" for name in ("rotation", "translation")),
    ],
    "figures": [
        "results.figures",
        *(f"experiments.{name}.figures" for name in ("digits", "kth", "rotation", "translation")),
    ],
    "report": ["results.report.page"],
}
TRAIN, EVALUATE = ({name for name in ROOTS if name.startswith(stage)} for stage in ("train", "evaluate"))
ALL = set(ROOTS)
SHOWN = {"tables", "figures", "report"}

# by hand: a constant of a module, and who must notice when it is another
MUTATIONS = [
    (
        "datasets/digits.py",
        'kind="stable"',
        'kind="heapsort"',
        {"digits", "sequences A", "sequences B", "trivial A", "trivial B"},
    ),
    ("datasets/counter.py", "np.uint64(11)", "np.uint64(12)", ALL - {"standins", *SHOWN}),
    ("arrays.py", 'PACKED = "packed"', 'PACKED = "deflated"', ALL - {"standins", "report"}),
    ("data/kth/decode.py", "FULL_RANGE = 2", "FULL_RANGE = 1", {"frames", "clips"}),
    ("data/kth/synthetic.py", "PERIOD = 24.0", "PERIOD = 25.0", {"standins"}),
    (
        "models/cell.py",
        "def __init__(",
        "WEIGHT = 1\n\n    def __init__(",
        # tables tell how equivariant its cells are, figures show their hidden states
        {"train A", "train C", "evaluate A", "evaluate C", "tables", "figures"},
    ),
    ("models/classifier.py", "momentum * (1 - momentum)", "momentum * momentum", {"train C", "evaluate C"}),
    ("models/cnn3d.py", "base: int = 16", "base: int = 8", {"train the 3D-CNN", "evaluate the 3D-CNN"}),
    ("models/rotation/basis.py", "TOLERANCE = 1e-5", "TOLERANCE = 1e-4", {"train B", "evaluate B"}),
    ("models/storage.py", ".to(device).eval()", ".to(device).half().eval()", TRAIN | EVALUATE | {"figures"}),
    # a package runs whenever one of its modules is imported
    (
        "models/__init__.py",
        "if TYPE_CHECKING",
        "torch = None\nif TYPE_CHECKING",
        TRAIN | EVALUATE | {"tables", "figures"},
    ),
    # a new model is a module of its own and a line of the registry, which no stage imports
    ("models/registry.py", '"load_model",', '"MyModel",\n    "load_model",', set()),
    ("evaluation/__init__.py", '"""What', 'import fernn.models.cnn3d\n"""What', EVALUATE | SHOWN),
    ("__init__.py", "__version__ = ", '__version__ = "9" or ', ALL),
    # words may end up in a table
    ("models/storage.py", "not a model of this library", "no model of ours", TRAIN | EVALUATE | {"figures"}),
    ("training/loop.py", "fused=True", "fused=False", TRAIN),
    ("training/checkpoint.py", "self.epoch += 1", "self.epoch += 2", TRAIN),
    ("training/device.py", '":4096:8"', '":16:8"', TRAIN | EVALUATE),
    ("training/loop.py", "done.weights", "None", TRAIN),
    ("evaluation/outcome.py", '"parameters"', '"weights"', EVALUATE),
    ("experiments/digits/evaluate.py", "SAMPLES = 2", "SAMPLES = 3", {"evaluate A", "evaluate B"}),
    ("results/claims/statistics.py", "POWER = 0.8", "POWER = 0.9", {"tables", "report"}),
    ("results/figures.py", "WIDTH = 5.5", "WIDTH = 5.0", {"figures"}),
    ("results/selection.py", "def select(", "BEST = 1\n\n\ndef select(", {"tables", "figures", "report"}),
    ("layout.py", '"evaluations"', '"evaluated"', {"tables", "figures", "report"}),
    ("results/report/page.py", 'LINKED = "Runs "', 'LINKED = "Run "', {"report"}),
    ("experiments/translation/experiment.py", "name = ", "NAME = 1\n    name = ", set()),
    ("experiments/loading.py", "@cache\ndef schema", "EDITED = 1\n\n\n@cache\ndef schema", set()),
    # what only fetches, waits, locks, shows, or directs the work
    ("data/download.py", "attempts: int = 5", "attempts: int = 6", set()),
    ("locks.py", "beat: float = 10.0", "beat: float = 20.0", set()),
    ("training/progress.py", "LOOK, LOOK_IN_LOG = 1.0, 60.0", "LOOK, LOOK_IN_LOG = 2.0, 60.0", set()),
    ("pipeline/doctor.py", "PATIENCE = 10", "PATIENCE = 20", set()),
    ("pipeline/stages.py", "Status.MISSING:", "Status.OUTDATED:", set()),
]


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the library, whose digests are taken."""
    shutil.copytree(code.PACKAGE, tmp_path / "fernn", ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(code, "PACKAGE", tmp_path / "fernn")
    monkeypatch.setattr(code, "source_of", Path.read_bytes)
    return tmp_path / "fernn"


def modules(root: str) -> list[str]:
    return [f"fernn.{name}" for name in ROOTS[root]]


def names(root: str) -> list[str]:
    return [each.partition(":")[0] for each in modules(root)]


def digests() -> dict[str, str]:
    code._module.cache_clear()
    code._exists.cache_clear()
    return {name: code_digest(*modules(name)) for name in ROOTS}


@pytest.fixture(scope="module")
def before() -> dict[str, str]:
    """The digests of the unchanged library; a copy has the same ones."""
    return digests()


@pytest.mark.parametrize(("file", "old", "new", "notice"), MUTATIONS, ids=[f"{m[0]}-{m[1][:20]}" for m in MUTATIONS])
def test_who_notices_a_changed_constant(
    before: dict[str, str], library: Path, file: str, old: str, new: str, notice: set[str]
) -> None:
    path = library / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    after = digests()
    assert {name for name in ROOTS if before[name] != after[name]} == notice


def test_comments_mean_nothing(before: dict[str, str], library: Path) -> None:
    """A comment, a docstring and a format, in every module."""
    for path in library.rglob("*.py"):
        text = path.read_text()
        if "from __future__" not in text:
            text = f'"""Another docstring."""\n\n{text}'
        lines = [
            f"{line}  # a comment" if line.endswith(",") and '"' not in line else line for line in text.splitlines()
        ]
        path.write_text("\n".join([*lines, "", "# the end", ""]))
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
    """The same on Python 3.11.7, 3.12.1 and 3.13.0."""
    assert identity(meaning(ast.parse(SAMPLE))) == "5a146732822c6448"
    assert meaning(ast.parse("x = 1  # one")) == meaning(ast.parse("'''words'''\nx = (1)\n"))
    assert meaning(ast.parse("x = 1")) != meaning(ast.parse("x = 2"))


def test_a_training_watches_its_models_and_data_but_no_downloads() -> None:
    found = code_of(*names("train A"))
    for part in ("models.cell", "models.ops", "models.storage", "flows.translation", "training.loop"):
        assert f"fernn.{part}" in found
    for part in ("data.download", "params", "results.tables", "training.progress", "evaluation.prediction"):
        assert f"fernn.{part}" not in found


@pytest.mark.parametrize("root", ["digits", "sequences A", "sequences B", "frames", "clips"])
def test_data_sets_do_not_watch_models(root: str) -> None:
    assert not any(".models." in name for name in code_of(*names(root)))


@pytest.mark.parametrize("stage", ["sequences", "train", "evaluate"])
def test_experiments_with_digits_do_not_watch_each_other(stage: str) -> None:
    translation, rotation = code_of(*names(f"{stage} A")), code_of(*names(f"{stage} B"))
    assert "fernn.datasets.rotating" in rotation
    own = ("experiments.rotation", "datasets.rotating", "flows.rotation", "models.rotation")
    assert not any(part in name for name in translation for part in own)
    own = ("experiments.translation", "datasets.translating", "flows.translation", "models.predictor")
    assert not any(part in name for name in rotation for part in own)


def test_these_are_the_roots_of_the_jobs(root: Path) -> None:
    jobs = Jobs(load_params(root / "params.yaml", "quick"), Layout("quick"))
    of = {frozenset(job.roots) for job in jobs.all.values()}
    assert of == {frozenset(modules(name)) for name in ROOTS}


def test_identity_sees_swapped_values_and_the_order_of_lists() -> None:
    assert identity({"a": 1, "b": 2}) == identity({"b": 2, "a": 1})
    assert identity({"a": 1, "b": 2}) != identity({"a": 2, "b": 1})
    assert identity([0, 1]) != identity([1, 0])
