"""`fernn compare`: the same bytes, others by another machine whose cells agree, and what it says of each."""

import json
import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from fernn.errors import FernnError
from fernn.files import sha256
from fernn.layout import Layout
from fernn.pipeline.compare import MeanOverRuns, compare
from fernn.pipeline.export.archive import METADATA
from fernn.provenance.records import Record, read_record, write_record

ENVIRONMENT: dict[str, Any] = {
    "python": "3.11.2",
    "determinism": {"instructions": "AVX512"},
    "packages": {"torch": "2"},
}
RUN, SECOND = "a/V2T/G-RNN/lr1/seed0", "a/V2T/G-RNN/lr1/seed1"
HEAD = "experiment,model,flow,metric,mean,std,n\n"


def make(base: Path, **changes: Any) -> None:
    """Results of a scale: one training, and a table of it."""
    layout = Layout("tiny", base / "results")
    layout.table("table1.csv").parent.mkdir(parents=True)
    cell = changes.pop("cell", "0.01,0.001,3")
    layout.table("table1.csv").write_text(f"{HEAD}a,G-RNN,V2T,mse,{cell}\na,last frame,V2T,mse,0.25,,0\n")
    train(base, **changes)


def train(base: Path, name: str = RUN, model: str = "weights", **changes: Any) -> Path:
    """A training with its model and record; returns the model's path."""
    path = Layout("tiny", base / "results").model(name)
    path.parent.mkdir(parents=True)
    path.write_text(model)
    about: dict[str, Any] = {"stage": "train", "name": name, "scale": "tiny", "inputs": {}, "files": {}}
    outputs = {path.relative_to(base).as_posix(): sha256(path)}
    about |= {"lineage": "1", "outputs": outputs, "environment": ENVIRONMENT, "details": {}}
    about |= {"started": "2026-01-01T00:00:01Z", "ended": "2026-01-01T00:00:02Z"}
    write_record(path.with_name("record.json"), Record(**(about | changes)))
    return path


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """Where one stands, and where the others' results are."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return Path(), tmp_path / "there"


def compared(there: Path) -> tuple[bool, str]:
    lines: list[str] = []
    return compare(Layout("tiny"), there, lines.append), "\n".join(lines)


AVX2 = ENVIRONMENT | {"determinism": {"instructions": "AVX2"}}
OTHERWISE = {"model": "other weights"}


@pytest.mark.parametrize(
    ("changes", "agrees", "said"),
    [
        ({}, True, "1 have the same bytes, 0 others"),
        (OTHERWISE, False, "they should be the same: train a/V2T/G-RNN/lr1/seed0"),
        (
            OTHERWISE | {"environment": AVX2, "cell": "0.011,0.001,3"},
            True,
            'there, then here): determinism.instructions "AVX2" then, "AVX512" now',
        ),
        (
            OTHERWISE | {"environment": AVX2, "cell": "0.03,0.001,3"},
            False,
            "DIFFERS: a V2T G-RNN mse: 0.01 ± 0.001 (3) here, 0.03 ± 0.001 (3) there",
        ),
        (OTHERWISE | {"lineage": "2"}, True, "1 of 1 results are of other params or code, such as train a/V2T"),
    ],
)
def test_what_it_says(folders: tuple[Path, Path], changes: dict[str, Any], agrees: bool, said: str) -> None:
    here, there = folders
    make(here)
    make(there, **changes)
    found, text = compared(there)
    assert found is agrees
    assert said in text
    assert "\nagrees: a V2T last frame mse: 0.25 here, 0.25 there" in text


def test_what_was_moved_out_of_the_way_is_no_result_of_today(folders: tuple[Path, Path]) -> None:
    here, there = folders
    make(here)
    make(there)
    aside = here / "results/tiny/superseded/a/0/record.json"
    aside.parent.mkdir(parents=True)
    (record,) = (here / "results/tiny/runs").rglob("record.json")
    old = read_record(record)
    assert old
    write_record(aside, old.model_copy(update={"outputs": {"model": "another"}}))
    agrees, said = compared(there)
    assert agrees
    assert "1 results are here and there: 1 have the same bytes, 0 others." in said


def test_other_bytes_without_a_table_agree_in_nothing(folders: tuple[Path, Path]) -> None:
    here, there = folders
    make(here)
    make(there, **OTHERWISE, environment=AVX2)
    shutil.rmtree("results/tiny/tables")
    assert not compare(Layout("tiny"), there, print)


@pytest.mark.parametrize("side", ["here", "there"])
def test_altered_bytes_are_corrupt_whatever_the_record_says(folders: tuple[Path, Path], side: str) -> None:
    for folder in folders:
        make(folder)
    model = Layout("tiny", folders[side == "there"] / "results").model(RUN)
    model.write_text("altered")
    agrees, said = compared(folders[1])
    assert not agrees
    assert f"error: train {RUN} is corrupt {side}; rebuild or copy it:\n  results/tiny/runs/{RUN}/model" in said
    assert "0 have the same bytes, 0 others, 1 are corrupt." in said


def test_an_altered_table_is_corrupt(folders: tuple[Path, Path]) -> None:
    for folder in folders:
        make(folder)
    there = folders[1]
    name = "results/tiny/tables/table1.csv"
    record = read_record(Layout("tiny").run(RUN, "record.json"))
    assert record
    of = {"stage": "tables", "name": "", "outputs": {name: sha256(there / name)}}
    write_record(there / "results/tiny/tables/record.json", record.model_copy(update=of))
    assert compared(there)[0]
    (there / name).write_text((there / name).read_text() + "a,last frame,V1T,mse,0.25,,0\n")
    agrees, said = compared(there)
    assert not agrees
    assert f"error: tables is corrupt there; rebuild or copy it:\n  {name}: sha256" in said


@pytest.mark.parametrize("side", ["here", "there"])
def test_a_run_of_one_side_is_named(folders: tuple[Path, Path], side: str) -> None:
    for folder in folders:
        make(folder)
    train(folders[side == "there"], SECOND)
    agrees, said = compared(folders[1])
    assert not agrees
    assert f"error: 1 results are only {side}:\n  train {SECOND}" in said


def test_a_model_that_is_not_there_is_missing_unless_an_archive_was_made_without_it(
    folders: tuple[Path, Path],
) -> None:
    here, there = folders
    make(here)
    make(there)
    (model,) = there.rglob("model.safetensors")
    model.unlink()
    name = model.relative_to(there).as_posix()
    agrees, said = compared(there)
    assert not agrees
    assert f"error: 1 files of runs are missing there; rebuild or copy them:\n  {name}" in said
    (there / METADATA).write_text(json.dumps({"@graph": []}))
    agrees, said = compared(there)
    assert agrees
    assert f"1 files are not there, such as {name}: compared by the sha256 in their records." in said
    listing = {"@id": name, "@type": "File", "sha256": sha256(here / name), "contentSize": "7"}
    (there / METADATA).write_text(json.dumps({"@graph": [listing]}))
    assert not compared(there)[0]


def test_a_data_set_of_one_side_is_named_and_no_fault(folders: tuple[Path, Path]) -> None:
    for folder in folders:
        make(folder)
    train(folders[0], "a/digits", stage="dataset")
    agrees, said = compared(folders[1])
    assert agrees
    assert said.startswith("1 results are only here:\n  dataset a/digits")


@pytest.mark.parametrize("side", ["here", "there"])
def test_a_cell_of_one_side_is_named(folders: tuple[Path, Path], side: str) -> None:
    for folder in folders:
        make(folder)
    (table,) = folders[side == "there"].rglob("table1.csv")
    table.write_text(f"{table.read_text()}a,G-RNN,V1T,mse,0.01,,1\n")
    agrees, said = compared(folders[1])
    assert not agrees
    assert f"1 cells of table1.csv are only {side}:\n  a V1T G-RNN mse" in said


def test_a_table_of_one_side_is_no_fault_where_all_bytes_are_the_same(folders: tuple[Path, Path]) -> None:
    for folder in folders:
        make(folder)
    shutil.rmtree("results/tiny/tables")
    agrees, said = compared(folders[1])
    assert agrees
    assert "2 cells of table1.csv are only there" in said


def test_nothing_in_common_is_an_error(folders: tuple[Path, Path]) -> None:
    here, there = folders
    make(here)
    with pytest.raises(FernnError, match=r"no result in common: 1 records here, 0 there"):
        compare(Layout("tiny"), there, print)


def test_a_damaged_record_or_table_is_named(folders: tuple[Path, Path]) -> None:
    here, there = folders
    make(here)
    make(there)
    (there / "results/tiny/tables/table1.csv").write_text("a,b\n1,2\n")
    with pytest.raises(FernnError, match=r"table1\.csv: not a table"):
        compare(Layout("tiny"), there, print)
    (record,) = there.rglob("record.json")
    record.write_text(json.dumps({"stage": 1}))
    with pytest.raises(FernnError, match=str(record.name)):
        compare(Layout("tiny"), there, print)


@pytest.mark.parametrize(
    ("one", "other", "agrees"),
    [
        (MeanOverRuns(1.0, 0.1, 3), MeanOverRuns(1.1, 0.1, 3), True),
        (MeanOverRuns(1.0, 0.1, 3), MeanOverRuns(2.0, 0.1, 3), False),
        (MeanOverRuns(1.0, None, 1), MeanOverRuns(1.1, None, 1), None),
        (MeanOverRuns(0.5, 0.0, 3), MeanOverRuns(1 / 6, 0.0, 3), False),
        (MeanOverRuns(0.5, 0.0, 3), MeanOverRuns(0.55, 0.1, 3), True),
        (MeanOverRuns(0.5, 0.0, 3), MeanOverRuns(2.0, 0.1, 3), False),
        (MeanOverRuns(1.0, None, 0), MeanOverRuns(1.1, None, 0), False),
        (MeanOverRuns(1.0, None, 0), MeanOverRuns(1.0 + 1e-9, None, 0), True),
        (MeanOverRuns(math.nan, 0.1, 3), MeanOverRuns(1.0, 0.1, 3), False),
        (MeanOverRuns(1.0, math.nan, 3), MeanOverRuns(1.0, 0.1, 3), False),
        (MeanOverRuns(1.0, math.inf, 3), MeanOverRuns(2.0, 0.1, 3), False),
        (MeanOverRuns(math.inf, None, 1), MeanOverRuns(math.inf, None, 1), False),
    ],
)
def test_cells(one: MeanOverRuns, other: MeanOverRuns, agrees: bool | None) -> None:
    assert one.agrees(other) is agrees


def test_cells_agree_up_to_the_level_of_welchs_test() -> None:
    one = MeanOverRuns(1.0, 0.1, 3)
    for mean in np.linspace(1.1, 1.6, 101):
        p = stats.ttest_ind_from_stats(1.0, 0.1, 3, mean, 0.2, 4, equal_var=False).pvalue
        assert one.agrees(MeanOverRuns(mean, 0.2, 4)) is bool(p > 0.01), f"p = {p}"
