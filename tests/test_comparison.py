"""`fernn compare`: the same bytes, others by another machine whose cells agree, and what it says of each."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from fernn.comparison import Cell, compare
from fernn.errors import FernnError
from fernn.layout import Layout
from fernn.provenance.records import Record, read_record, write_record

ENVIRONMENT: dict[str, Any] = {
    "python": "3.11.2",
    "determinism": {"instructions": "AVX512"},
    "packages": {"torch": "2"},
}
HEAD = "experiment,model,flow,metric,mean,std,n\n"


def make(base: Path, **changes: Any) -> None:
    """Results of a scale: one training, and a table of it."""
    layout = Layout("tiny", base / "results")
    layout.table("table1.csv").parent.mkdir(parents=True)
    cell = changes.pop("cell", "0.01,0.001,3")
    layout.table("table1.csv").write_text(f"{HEAD}a,G-RNN,V2T,mse,{cell}\na,last frame,V2T,mse,0.25,,0\n")
    about: dict[str, Any] = {
        "stage": "train",
        "name": "a/V2T/G-RNN/lr1/seed0",
        "scale": "tiny",
        "inputs": {},
        "files": {},
    }
    about |= {"lineage": "1", "outputs": {"model": "digest"}, "environment": ENVIRONMENT, "details": {}}
    about |= {"started": "2026-01-01T00:00:01Z", "ended": "2026-01-01T00:00:02Z"}
    path = layout.run(about["name"], "record.json")
    path.parent.mkdir(parents=True)
    write_record(path, Record(**(about | changes)))


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """Where one stands, and where the others' results are."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return Path(), tmp_path / "there"


AVX2 = ENVIRONMENT | {"determinism": {"instructions": "AVX2"}}
OTHERWISE = {"outputs": {"model": "another"}}


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
    lines: list[str] = []
    assert compare(Layout("tiny"), there, lines.append) is agrees
    assert said in "\n".join(lines)
    assert "agrees: a V2T last frame mse: 0.25 here, 0.25 there" in lines


def test_what_was_moved_out_of_the_way_is_no_result_of_today(folders: tuple[Path, Path]) -> None:
    here, there = folders
    make(here)
    make(there)
    aside = here / "results/tiny/superseded/a/0/record.json"
    aside.parent.mkdir(parents=True)
    (record,) = (here / "results/tiny/runs").rglob("record.json")
    old = read_record(record)
    assert old
    write_record(aside, old.model_copy(update=OTHERWISE))
    lines: list[str] = []
    assert compare(Layout("tiny"), there, lines.append)
    assert "1 results are here and there: 1 have the same bytes, 0 others." in lines


def test_other_bytes_without_a_table_agree_in_nothing(folders: tuple[Path, Path]) -> None:
    here, there = folders
    make(here)
    make(there, **OTHERWISE, environment=AVX2)
    shutil.rmtree("results/tiny/tables")
    assert not compare(Layout("tiny"), there, print)


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
        (Cell(1.0, 0.1, 3), Cell(1.1, 0.1, 3), True),
        (Cell(1.0, 0.1, 3), Cell(2.0, 0.1, 3), False),
        (Cell(1.0, None, 1), Cell(1.1, None, 1), None),
        (Cell(0.5, 0.0, 3), Cell(1 / 6, 0.0, 3), False),
        (Cell(0.5, 0.0, 3), Cell(0.55, 0.1, 3), True),
        (Cell(0.5, 0.0, 3), Cell(2.0, 0.1, 3), False),
        (Cell(1.0, None, 0), Cell(1.1, None, 0), False),
        (Cell(1.0, None, 0), Cell(1.0 + 1e-9, None, 0), True),
    ],
)
def test_cells(one: Cell, other: Cell, agrees: bool | None) -> None:
    assert one.agrees(other) is agrees
