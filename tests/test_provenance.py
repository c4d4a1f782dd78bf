"""A digest of code covers what a stage runs, and nothing else."""

from pathlib import Path

import pytest

from fernn.provenance import digests
from fernn.provenance.digests import code_digest, code_of, identity

STAGES = ["datasets", "train", "evaluate"]


def test_a_training_watches_its_models_and_data_but_no_downloads() -> None:
    code = code_of("fernn.experiments.translation.train")
    for part in ("models.cell", "models.kernels", "flows.translation", "datasets.translating", "training.loop"):
        assert f"fernn.{part}" in code
    for part in ("data.download", "params", "results.tables", "training.progress", "evaluation.prediction"):
        assert f"fernn.{part}" not in code


@pytest.mark.parametrize("experiment", ["translation", "rotation"])
def test_data_sets_do_not_watch_models(experiment: str) -> None:
    for module in (f"{experiment}.datasets", "flowing_digits.digits"):
        assert not any(".models." in name for name in code_of(f"fernn.experiments.{module}"))


@pytest.mark.parametrize("stage", STAGES)
def test_experiments_with_digits_do_not_watch_each_other(stage: str) -> None:
    translation, rotation = (code_of(f"fernn.experiments.{name}.{stage}") for name in ("translation", "rotation"))
    assert "fernn.datasets.rotating" in rotation
    own = ("experiments.rotation", "datasets.rotating", "flows.rotation", "models.rotation")
    assert not any(part in name for name in translation for part in own)
    own = ("experiments.translation", "datasets.translating", "flows.translation", "models.predictor")
    assert not any(part in name for name in rotation for part in own)


@pytest.mark.parametrize("stage", STAGES)
def test_one_changed_line_changes_the_digest(stage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = f"fernn.experiments.translation.{stage}"
    before = code_digest(module)
    for name in code_of(module):
        copy = tmp_path.joinpath(*name.split(".")[1:])
        source = digests._source(name)
        target = copy / "__init__.py" if source.name == "__init__.py" else copy.with_suffix(".py")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(source.read_bytes())
    monkeypatch.setattr(digests, "PACKAGE", tmp_path)
    assert code_digest.__wrapped__(module) == before
    flow = tmp_path / "flows" / "translation.py"
    flow.write_text(flow.read_text() + "\nX = 1\n")
    assert code_digest.__wrapped__(module) != before


def test_identity_sees_swapped_values() -> None:
    assert identity({"a": 1, "b": 2}) == identity({"b": 2, "a": 1})
    assert identity({"a": 1, "b": 2}) != identity({"a": 2, "b": 1})
