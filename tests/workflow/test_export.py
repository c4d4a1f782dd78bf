"""`fernn export` of what the real workflow made: valid, and of use where it is unpacked."""

import sys
from pathlib import Path
from zipfile import ZipFile

from tests.export.validator import validate
from tests.workflow.conftest import Project


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
