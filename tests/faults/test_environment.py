"""Results do not depend on who makes them, where, and in which language."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from .harness import ROOT, SCALE, Project, drawn, of
from .ledger import Ledger

ANYWHERE = "The environment changes no byte of a result"
ENVIRONMENTS: dict[str, dict[str, str]] = {
    "no locale": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "a locale that is not there": {"LC_ALL": "de_DE.UTF-8", "LANGUAGE": "de"},
    "no home": {"HOME": "/nowhere"},
    "another time zone": {"TZ": "Asia/Kathmandu"},
    "other hashes": {"PYTHONHASHSEED": "77"},
    "a narrow terminal": {"COLUMNS": "20", "TERM": "dumb", "NO_COLOR": "1"},
    "a screen for figures": {"MPLBACKEND": "TkAgg", "DISPLAY": ""},
    "more threads": {"OMP_NUM_THREADS": "2", "MKL_NUM_THREADS": "2"},
    "optimized, without bytecode": {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONOPTIMIZE": "1"},
}
DRAWN = ("no locale", "a screen for figures")  # of which figures might know
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
    ledger(ANYWHERE, environment or "a folder of an unusual name", len(chosen))
