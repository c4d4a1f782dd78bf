"""`make mutations`: each guard is removed in a copy of the project, and a test that fails there shows that it is held.

A guard that no test misses could be lost by anyone's edit. The list is also that of docs/reliability.md.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Annotated, NamedTuple

import typer
import yaml
from tabulate import tabulate

from tests.faults.ledger import write_table

ROOT = Path(__file__).parents[2]
COPIED = ("fernn", "tests", "workflow", "resources", "docs", "params.yaml", "pyproject.toml", "Snakefile", "benchmarks")


class Mutation(NamedTuple):
    """A guard, and how it is removed; mutations.yaml says what each word means."""

    guard: str
    file: str
    here: str
    gone: str
    test: str


MUTATIONS = [Mutation(**each) for each in yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text())]


def run(
    page: Annotated[Path | None, typer.Option(help="Write the list there, where it has its place.")] = None,
) -> None:
    """Remove each guard in a copy, and run the test that has to miss it."""
    rows, missed = [], []
    with tempfile.TemporaryDirectory(prefix="fernn-mutations-") as folder:
        copy = Path(folder)
        for name in COPIED:
            (shutil.copytree if (ROOT / name).is_dir() else shutil.copy)(ROOT / name, copy / name)
        if failed := [test for test in sorted({each.test for each in MUTATIONS}) if not _passes(copy, test)]:
            raise SystemExit(f"These fail as it is: {', '.join(failed)}")
        for each in MUTATIONS:
            path = copy / each.file
            whole = path.read_text(encoding="utf-8")
            if whole.count(each.here) != 1:
                raise SystemExit(f"{each.guard}: {each.file} has {whole.count(each.here)} times {each.here!r}")
            path.write_text(whole.replace(each.here, each.gone), encoding="utf-8")
            missed += [each.guard] if _passes(copy, each.test) else []
            path.write_text(whole, encoding="utf-8")
            said = "NO TEST MISSES IT" if each.guard in missed else "a test fails"
            typer.echo(f"{each.guard}: {said}", err=True)
            rows.append([each.guard, f"`{each.file}`", f"`{each.test.removeprefix('tests/')}`"])
    table = tabulate(rows, ["guard", "removed from", "test that fails then"], tablefmt="pipe")
    typer.echo(table)
    if missed:
        raise SystemExit(f"{len(missed)} guards that no test misses: {', '.join(missed)}")
    if page is not None:
        write_table(page, "make mutations", table)


def _passes(copy: Path, test: str) -> bool:
    environment = {**os.environ, "PYTHONPATH": str(copy), "FERNN_FAULTS": "some", "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", test]
    done = subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True)
    if done.returncode not in (0, 1):
        raise SystemExit(f"{test}: no test ran\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.returncode == 0


if __name__ == "__main__":
    typer.run(run)
