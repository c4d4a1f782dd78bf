"""Snakemake, DVC and `fernn verify` say the same of an edit: the table in docs/architecture.md, row by row."""

import gzip
import json
import re
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from .conftest import ROOT, Clone
from .test_dag import GRNN

STAGES = ["datasets", "train", "evaluate", "tables", "figures", "report"]
# what a stage is followed by
AFTER = {
    **{stage: {*STAGES[number:]} for number, stage in enumerate(STAGES[:3])},
    **{"tables": {"report"}, "figures": {"report"}},
}
MESSAGES = dict(zip(["Data", "Training", "Evaluating", "Writing", "Drawing", "Composing"], STAGES, strict=True))

Edit = Callable[[Clone], Any]


def params(change: Callable[[dict[str, Any]], Any]) -> Edit:
    return lambda clone: clone.edit_params(lambda scale: change(scale["translation"]))


def of_scale(change: Callable[[dict[str, Any]], Any]) -> Edit:
    return lambda clone: clone.edit_params(change)


def text(file: str, old: str, new: str) -> Edit:
    def edit(clone: Clone) -> None:
        path = clone.folder / file
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new, 1))

    return edit


def append(file: str, line: str) -> Edit:
    def edit(clone: Clone) -> None:
        (clone.folder / file).parent.mkdir(exist_ok=True)
        with (clone.folder / file).open("a") as opened:
            opened.write(f"\n{line}\n")

    return edit


def remove(path: str) -> Edit:
    return lambda clone: clone.must("rm", "-r", f"results/micro/{path}")


def recompress(clone: Clone) -> None:
    path = clone.folder / "resources/mnist-subset/t10k-labels-idx1-ubyte.gz"
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()), 1))


def touch(clone: Clone) -> None:
    for path in clone.folder.rglob("*"):
        if path.is_file() and not {".git", ".dvc"} & set(path.parts):
            path.touch()


def keys_in_another_order(clone: Clone) -> None:
    path = clone.folder / "params.yaml"
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()), sort_keys=True))


def by_hand(clone: Clone) -> None:
    before = clone.results()
    remove(f"evaluations/{GRNN}/seed0")(clone)
    clone.must("fernn", "evaluate", f"{GRNN}/seed0", "--scale", "micro")
    assert clone.results() == before


def half_written(clone: Clone) -> None:
    for folder in ("tables", "figures", f"runs/{GRNN}/seed0"):
        (clone.folder / "results/micro" / folder / ".table1.md.x1y2z3.partial").write_text("half")


EDITS: dict[str, Edit] = {
    "a learning rate": params(lambda s: s["models"]["G-RNN"].update(learning_rate=0.02)),
    "the size of the test set": params(lambda s: s["data"].update(test=5)),
    "the seed of the data": params(lambda s: s["data"].update(seed=43)),
    "a seed more": params(lambda s: s.update(seeds=[0, 1])),
    "the models of a group in another order": params(lambda s: s["runs"][0]["models"].reverse()),
    "a group of runs dropped": params(lambda s: s["runs"].pop()),
    "`allow_cpu`, `checkpoint_minutes`, `resources`": of_scale(
        lambda s: s.update(checkpoint_minutes=0.5, resources={"train": {"mem_mb": 1000}})
    ),
    "all keys of params.yaml in another order": keys_in_another_order,
    "a comment in params.yaml": append("params.yaml", "# a comment"),
    "a constant of a model": text("fernn/models/cell.py", "class FERNNCell", "EDITED = 1\n\n\nclass FERNNCell"),
    "a constant of another model": append("fernn/models/cnn3d.py", "EDITED = 1"),
    "a constant of a recipe": append("fernn/datasets/translating.py", "EDITED = 1"),
    "how a figure looks": text("fernn/results/figures.py", "WIDTH = 5.5", "WIDTH = 5.4"),
    "a figure of the paper": append("fernn/results/claims/claims.yaml", "# another"),
    "a comment in errors.py": append("fernn/errors.py", "# a comment"),
    "a docstring": text("fernn/models/cell.py", '"""', '"""Another word: '),
    "how downloads are retried": text("fernn/data/download.py", "attempts: int = 5", "attempts: int = 6"),
    "how a lock waits": text("fernn/locks.py", "beat: float = 10.0", "beat: float = 20.0"),
    "a comment in a rule": append("workflow/rules/train.smk", "# a comment"),
    "another version of a package": append("requirements/lock.txt", "# another"),
    "README.md": append("README.md", "another line"),
    "a file of digits": recompress,
    "all times": touch,
    "a data set removed": remove("datasets/translation/test-V2T.safetensors"),
    "a model removed": remove(f"runs/{GRNN}/seed0/model.safetensors"),
    "an evaluation removed": remove(f"evaluations/{GRNN}/seed0"),
    "a table removed": remove("tables/table1.md"),
    "a record removed": remove(f"runs/{GRNN}/seed0/record.json"),
    "an evaluation removed and made by hand": by_hand,
}
# `fernn verify` judges what is there: of what is rebuilt, it names these, and what the params no longer name
VERIFIED = {
    "a data set removed": {"datasets"},
    "a model removed": {"train"},
    "a group of runs dropped": set(STAGES),
    "a learning rate": {*STAGES[1:]},  # the former run is no longer named
}
# DVC goes by whole folders and lists: these stages it runs too, and nothing is to be done in them
COARSE = {"a group of runs dropped": {"datasets", "train", "evaluate"}, "a data set removed": {"train"}}
# of these all three are asked; of the others Snakemake, since all go by the same records
ALL_THREE = [*VERIFIED, "the size of the test set", "a constant of a recipe", "a figure of the paper"]


def rows() -> dict[str, set[str]]:
    """The table: what is edited, and what runs again."""
    page = (ROOT / "docs/architecture.md").read_text()
    table = page.split("| edit | what runs again |")[1].split("\n\n")[0]
    found = re.findall(r"^\| (.+?) \| (.+?) \|$", table, re.MULTILINE)[1:]
    return {edit: set() if again == "nothing" else set(again.split(", ")) for edit, again in found}


BY_HAND = "an evaluation removed and made by hand"
QUIET = [edit for edit, again in rows().items() if not again and edit != BY_HAND]


def test_the_table_has_every_edit() -> None:
    assert list(rows()) == list(EDITS)


def by_snakemake(clone: Clone) -> set[str]:
    return {MESSAGES[job.split()[0]] for job in clone.planned()}


def by_verify(clone: Clone) -> set[str]:
    ended = clone.run("fernn", "verify", "results/micro")
    found = re.findall(r"^(?:missing|outdated|corrupt): (\w+)", ended.stdout, re.MULTILINE)
    assert ended.returncode == bool(found), ended.stdout + ended.stderr
    return {{"dataset": "datasets"}.get(stage, stage) for stage in found}


def by_dvc(clone: Clone) -> set[str]:
    """The stages of which DVC says that they changed, once the first has written down what each depends on."""
    clone.must("fernn", "dependencies", "--scale", "micro")
    found = json.loads(clone.must("dvc", "status", "--json").splitlines()[-1])
    return {stage.partition("@")[0] for stage in found} - {"dependencies"}


def test_edits_that_run_nothing(pulled: Clone) -> None:
    """All at once, which takes the time of one."""
    for edit in QUIET:
        EDITS[edit](pulled)
    half_written(pulled)
    assert (by_snakemake(pulled), by_verify(pulled), by_dvc(pulled)) == (set(), set(), set())


def test_a_result_that_is_made_again_by_hand_is_the_same_result(pulled: Clone) -> None:
    """DVC sees another record, of another time, and finds nothing to do."""
    EDITS[BY_HAND](pulled)
    assert (by_snakemake(pulled), by_verify(pulled)) == (set(), set())
    assert by_dvc(pulled) == {"evaluate", "tables", "figures"}
    assert "Nothing to be done" in pulled.dvc("repro")
    assert pulled.up_to_date()


@pytest.mark.parametrize("edit", [edit for edit in EDITS if edit not in {*QUIET, BY_HAND}])
def test_they_agree(pulled: Clone, edit: str) -> None:
    expected = rows()[edit]
    EDITS[edit](pulled)
    assert by_snakemake(pulled) == expected
    if edit in ALL_THREE:
        assert by_verify(pulled) == VERIFIED.get(edit, expected)
        changed = by_dvc(pulled)
        followed = changed.union(*(AFTER.get(stage, set()) for stage in changed))
        assert changed - COARSE.get(edit, set()) <= expected <= followed
