"""Results do not depend on who makes them, where, in which language, and beside how much else."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.workflow.conftest import make_project

from .harness import ROOT, SCALE, SHARE, Project, drawn, of
from .ledger import Ledger

MANY = "Thousands of jobs and a hundred thousand files work"
ANYWHERE = "The environment changes no byte of a result"
ENVIRONMENTS: dict[str, dict[str, str]] = {
    "no locale": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "a locale that is not installed": {"LC_ALL": "de_DE.UTF-8", "LANGUAGE": "de"},
    "no home": {"HOME": "/nowhere"},
    "another time zone": {"TZ": "Asia/Kathmandu"},
    "other hash seeds": {"PYTHONHASHSEED": "77"},
    "a narrow terminal": {"COLUMNS": "20", "TERM": "dumb", "NO_COLOR": "1"},
    "an interactive plotting backend": {"MPLBACKEND": "TkAgg", "DISPLAY": ""},
    "more threads": {"OMP_NUM_THREADS": "2", "MKL_NUM_THREADS": "2"},
    "python -O, without bytecode": {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONOPTIMIZE": "1"},
}
DRAWN = ("no locale", "an interactive plotting backend")  # of which figures might know
FOLDERS = ["a b", "Übung é", "x'y", "a{b}", "$HOME", "-n", "a%sb", "雪"]
CASES = [*((name, "project") for name in ENVIRONMENTS), *(("", folder) for folder in FOLDERS)]


@pytest.mark.parametrize(("environment", "folder"), drawn(CASES, "environments"))
def test_it_is_the_same(template: Project, environment: str, folder: str, tmp_path: Path, ledger: Ledger) -> None:
    project, jobs = template.copy(tmp_path / folder), template.jobs
    chosen = [jobs.find("dataset", "translation/test-V1T"), jobs.find("train", template.run)]
    chosen += [jobs.find("evaluate", template.run), jobs.find("tables")]
    if environment in DRAWN:
        chosen += [jobs.find("figures"), jobs.find("report")]
    variables = {**os.environ, "PYTHONPATH": str(ROOT), **ENVIRONMENTS.get(environment, {})}
    for job in chosen:
        for path in (*job.writes, job.record):
            (project.folder / path).unlink()
    for job in chosen:
        command = [sys.executable, "-m", "fernn.cli", *of(job), "--scale", SCALE]
        ended = subprocess.run(
            command, cwd=project.folder, env=variables, capture_output=True, text=True, encoding="utf-8"
        )
        assert ended.returncode == 0, ended.stderr
    assert project.digests() == template.digests()
    ledger(ANYWHERE, environment or "a folder with an unusual name", len(chosen))


def test_two_thousand_jobs_are_planned(tmp_path: Path, ledger: Ledger) -> None:
    project = make_project(tmp_path)
    seeds = round(334 * SHARE)

    def more(scale: dict[str, Any]) -> None:
        scale["translation"]["seeds"] = list(range(seeds))

    project.edit_params(more)
    found = re.search(r"^Would run (\d+) jobs", project.makes("--dry-run"), re.MULTILINE)
    assert found
    assert int(found[1]) > 6 * seeds  # three runs of each seed, each trained and evaluated
    ledger(MANY, "jobs in a plan", int(found[1]), is_fault=False)


def test_a_hundred_thousand_files(template: Project, tmp_path: Path, ledger: Ledger) -> None:
    """Files that are no results, beside those that are."""
    project, number = template.copy(folder := tmp_path / "project"), round(100_000 * SHARE)
    for place in range(number):
        if place % 1000 == 0:
            (folder / f"results/{SCALE}/logs/{place}").mkdir(parents=True)
        (folder / f"results/{SCALE}/logs/{place - place % 1000}/{place}.log").touch()
    for command in (("verify", f"results/{SCALE}"), ("tables",)):
        ended = project.fernn(*command)
        assert ended.status == 0, ended.said
    assert ended.seconds < 60
    ledger(MANY, "unrelated files among the results", number, is_fault=False)
