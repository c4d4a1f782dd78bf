"""More than anyone has: two thousand jobs, a hundred thousand files."""

import re
from pathlib import Path
from typing import Any

from tests.workflow.conftest import make_project

from .harness import SCALE, SHARE, Project
from .ledger import Ledger

MANY = "Thousands of jobs and a hundred thousand files are work as usual"


def test_two_thousand_jobs_are_planned(tmp_path: Path, ledger: Ledger) -> None:
    project = make_project(tmp_path)
    seeds = round(334 * SHARE)

    def more(scale: dict[str, Any]) -> None:
        scale["translation"]["seeds"] = list(range(seeds))

    project.edit_params(more)
    ended = project.snakemake("--dry-run")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    found = re.search(r"^Would run (\d+) jobs", ended.stdout + ended.stderr, re.MULTILINE)
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
    ledger(MANY, "files beside the results", number, is_fault=False)
