"""`fernn equivalent`: the probe distinguishes edits that change no byte from those that do."""

import json
from pathlib import Path

import pytest
import yaml

from .conftest import Clone, made_once
from .test_dag import GRNN

EDITS = yaml.safe_load(Path(__file__).with_name("edits.yaml").read_text())
HARMLESS, CHANGES = EDITS["harmless"], EDITS["changes"]
# the probe, of the given jobs alone
SCRIPT = """
import json, sys
from pathlib import Path
from fernn.pipeline.equivalent import _full, probe
wanted, names = json.loads(sys.argv[1]), probe.__globals__
drive = names["_drive"]
def of_wanted(tree, task):
    again = task["again"] and [job for job in task["again"] if " ".join(job).rstrip() in wanted]
    return drive(tree, {**task, "again": again})
names["_drive"] = of_wanted
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
        apply(pulled, **edit)
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
    jobs = {name: edit["job"] for name, edit in CHANGES[group].items()}
    assert len({*jobs.values()}) == len(jobs)
    for edit in CHANGES[group].values():
        apply(clone, edit["file"], edit["old"], edit["new"])
    differs = json.loads(clone.must("python", "-c", SCRIPT, json.dumps([*jobs.values()])).splitlines()[-1])
    assert [name for name, job in jobs.items() if job not in differs] == []
    assert [files for files in differs.values() if files[0].startswith("cannot be made")] == []


def test_what_differs_is_named_and_nothing_is_written(pulled: Clone, shared: Path) -> None:
    share(pulled, shared)
    before = (pulled.folder / "equivalent.json").read_bytes()
    apply(pulled, "results/figures.py", "WIDTH = 5.5", "WIDTH = 5.0")
    ended = pulled.run("fernn", "equivalent", "results/micro", "--commit", "HEAD")
    assert ended.returncode == 1
    assert "DIFFERS: probe figures: " in ended.stdout
    assert (pulled.folder / "equivalent.json").read_bytes() == before
    assert "Drawing the figures" in pulled.planned()


def test_without_results_there_is_nothing_to_show(clone: Clone) -> None:
    ended = clone.run("fernn", "equivalent", "results/micro")
    assert ended.returncode == 1
    assert "results/micro: no results. Name a folder such as results/quick" in ended.stderr
