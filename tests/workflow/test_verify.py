"""`fernn verify` on the results of a real workflow: what it holds, and what it names when something was changed."""

import json
import sys
from pathlib import Path
from typing import Any
from zipfile import ZipFile

from fernn.files import sha256
from fernn.layout import KEPT
from fernn.provenance.records import read_record, write_record
from tests.export.validator import validate

from .conftest import Project

RUN = "translation/V2T/G-RNN/lr0.01/seed0"
BASE = Path("results/micro")
TRAINED = BASE / "runs" / RUN


def verify(project: Project, *arguments: str | Path) -> tuple[int, str]:
    """Exit status, and all that it said."""
    ended = project.fernn("verify", *arguments)
    return ended.returncode, ended.stdout + ended.stderr


def test_every_result_has_a_record(finished: Project) -> None:
    base = finished.folder / BASE
    named = set()
    for path in base.rglob("*record.json"):
        record = json.loads(path.read_text())
        named |= set(record["outputs"])
        assert record["lineage"]
        read = {file: digest for files in record["files"].values() for file, digest in files.items()}
        for file, digest in {**record["outputs"], **read}.items():
            assert sha256(finished.folder / file) == digest
        about: dict[str, Any] = record["environment"]
        assert about["packages"]["torch"]
        assert about["packages"]["escnn"]
        assert record["inputs"]["code"]
        assert record["started"] <= record["ended"]
        assert ("determinism" in about) == (record["stage"] in ("train", "evaluate"))
    results = {
        path.relative_to(finished.folder).as_posix()
        for folder in KEPT
        for path in (base / folder).rglob("*")
        if path.is_file() and not path.name.endswith(("record.json", "provenance.zip"))
    }
    assert named == {*results, (BASE / "report.html").as_posix()}
    status, said = verify(finished, BASE)
    assert status == 0, said
    assert f"up to date: train {RUN}" in said
    count = len(list(base.rglob("*record.json")))
    assert f"{count} results: {count} up to date." in said


def test_rebuilt_they_have_the_same_bytes(finished: Project) -> None:
    results = [
        BASE / "datasets/translation/test-V2T.safetensors",
        TRAINED,
        BASE / "evaluations" / RUN / "results.csv",
        BASE / "tables/table1.md",
        BASE / "figures/record.json",
        BASE / "report.html",
    ]
    before = {path: path.stat().st_mtime_ns for path in (finished.folder / BASE).rglob("*")}
    status, said = verify(finished, "--again", *results)
    assert status == 0, said
    assert f"{len(results)} results: {len(results)} up to date." in said
    assert {path: path.stat().st_mtime_ns for path in (finished.folder / BASE).rglob("*")} == before


def test_what_was_changed_is_named(project: Project) -> None:
    metrics = project.folder / TRAINED / "metrics.csv"
    metrics.write_text(metrics.read_text().replace("1,", "2,", 1))
    status, said = verify(project, TRAINED)
    assert status == 1
    assert f"corrupt: train {RUN}\n  {TRAINED}/metrics.csv is not what was written: sha256 " in said
    # tables were made of another file
    assert f"{TRAINED}/metrics.csv is not what was read" in verify(project, BASE / "tables/table1.md")[1]
    metrics.unlink()
    assert f"{TRAINED}/metrics.csv is missing" in verify(project, TRAINED / "record.json")[1]


def test_params_and_code_of_today(project: Project) -> None:
    project.edit_params(lambda scale: scale["translation"]["training"].update(epochs=2))
    flow = project.folder / "fernn/flows/translation.py"
    flow.write_text(flow.read_text() + "\nANOTHER = 1\n")
    status, said = verify(project, TRAINED)
    assert status == 1
    assert "  input training.epochs 1 then, 2 now\n" in said
    assert "  input code " in said
    # params without the run
    project.edit_params(lambda scale: scale["translation"].update(seeds=[5]))
    assert f"outdated: train {RUN}\n  params.yaml does not name it\n" in verify(project, TRAINED)[1]


def test_another_machine_is_told_and_is_no_fault(project: Project) -> None:
    path = project.folder / TRAINED / "record.json"
    record = read_record(path)
    assert record
    record.environment["packages"]["numpy"] = "0.1"
    record.environment["determinism"]["instructions"] = "ABACUS"
    record.environment["host"] = "elsewhere"
    write_record(path, record)
    status, said = verify(project, TRAINED)
    assert status == 0
    assert 'Another machine or version (1 of 1): packages.numpy "0.1" then, ' in said
    assert 'determinism.instructions "ABACUS" then, ' in said
    assert "elsewhere" not in said


def test_a_lie_in_a_record_comes_out_when_it_is_rebuilt(project: Project) -> None:
    table = project.folder / BASE / "tables/selection.csv"
    table.write_text(table.read_text() + "made,up\n")
    path = project.folder / BASE / "tables/record.json"
    record = read_record(path)
    assert record
    record.outputs[(BASE / "tables/selection.csv").as_posix()] = sha256(table)
    write_record(path, record)
    assert verify(project, table.relative_to(project.folder))[0] == 0
    status, said = verify(project, "--again", table.relative_to(project.folder))
    assert status == 1
    assert "tables/selection.csv: rebuilt, it has other bytes" in said


def test_files_without_a_record(finished: Project) -> None:
    status, said = verify(finished, "params.yaml")
    assert (status, "no record says where this comes from" in said) == (1, True)
    status, said = verify(finished, "nowhere")
    assert (status, "nowhere: no such file or folder" in said) == (1, True)


def test_commands_by_hand_leave_a_finished_result_as_it_is(project: Project) -> None:
    before = {path: path.read_bytes() for path in (project.folder / BASE).rglob("*") if path.is_file()}
    stages = [["dataset", "translation/digits"], ["train", RUN], ["evaluate", RUN], ["tables"], ["figures"], ["report"]]
    for stage in stages:
        ended = project.fernn(*stage)
        assert ended.returncode == 0, ended.stderr
        assert f"{' '.join(stage)}: already up to date" in ended.stderr
    assert {path: path.read_bytes() for path in before} == before
    assert project.planned() == set()
    (project.folder / TRAINED / "metrics.csv").write_text("epoch\n")
    ended = project.fernn("train", RUN)
    assert ended.returncode == 0, ended.stderr
    assert "already up to date" not in ended.stderr
    assert (project.folder / TRAINED / "metrics.csv").read_bytes() == before[project.folder / TRAINED / "metrics.csv"]


def test_the_archive_of_a_finished_project_is_valid_and_runs(project: Project, tmp_path: Path) -> None:
    ended = project.run(sys.executable, "-m", "fernn.cli", "export", "--scale", "micro", "--to", "crate.zip")
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout == "crate.zip\n"
    assert validate(project.folder / "crate.zip", tmp_path)["issues"] == []
    with ZipFile(project.folder / "crate.zip") as archive:
        archive.extractall(tmp_path / "unpacked")
    there = Project(tmp_path / "unpacked")
    parts = [f"results/micro/{name}" for name in ("runs", "evaluations", "tables", "figures")]
    verified = there.run(sys.executable, "-m", "fernn.cli", "verify", *parts)
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert there.planned()  # the workflow is whole: it would make the data sets again, which are not in the archive
