"""`make load`: a plan of thousands of jobs, run to its end on this machine."""

import csv
import re
import subprocess
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import psutil
import typer
from tabulate import tabulate

from tests.faults.ledger import write_table
from tests.workflow.conftest import Project, make_project

EACH = 6  # jobs of a seed: three models, each trained and evaluated
COMMAND = ("snakemake", "--cores", "all", "--config", "scale=micro")


def prepared(folder: Path, jobs: int) -> Project:
    """The project with so many seeds that its plan has at least that many jobs."""

    def more(scale: dict[str, Any]) -> None:
        scale["translation"]["seeds"] = list(range(-(-jobs // EACH)))

    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=folder.parent) as begun:  # killed in the middle, it leaves nothing under that name
            made = Path(begun) / "project"
            made.mkdir()
            make_project(made).edit_params(more)
            made.rename(folder)
    return Project(folder)


def run(project: Project, log: Path) -> tuple[float, int]:
    """One pass of Snakemake: when its first job began, in seconds, and its own peak memory in bytes."""
    began, first, most = time.monotonic(), 0.0, 0
    with log.open("w") as out:
        process = subprocess.Popen(
            COMMAND, cwd=project.folder, env=project.environment, stdout=out, stderr=subprocess.STDOUT
        )
        own = psutil.Process(process.pid)
        while process.poll() is None:
            try:
                most = max(most, own.memory_info().rss)
            except psutil.NoSuchProcess:
                break
            if not first and "Job " in log.read_text():
                first = time.monotonic() - began
            time.sleep(1)
    if process.wait():
        raise SystemExit(f"Snakemake ended with an error: see {log}")
    return first, most


def seconds(project: Project, *command: str) -> tuple[float, str]:
    """How long a command takes, and what it says; it must succeed."""
    began = time.monotonic()
    ended = project.run(*command)
    if ended.returncode:
        raise SystemExit(f"{' '.join(command)}:\n{ended.stdout}{ended.stderr}")
    return time.monotonic() - began, ended.stdout + ended.stderr


def main(
    jobs: Annotated[int, typer.Option(min=1, help="At least; 2,000 take an hour and a half of two cores.")] = 2000,
    folder: Annotated[Path, typer.Option(help="The project is made there, and stays.")] = Path("build/load"),
    page: Annotated[Path | None, typer.Option(help="Write the table there, where it has its place.")] = None,
) -> None:
    """Run them, see that nothing is left to do, and verify each result."""
    folder = folder.resolve()
    project, log = prepared(folder / "project", jobs), folder / "snakemake.log"
    planning, _ = seconds(project, *COMMAND, "--dry-run")
    first, memory = run(project, log)
    done = re.search(r"^([\d,]+) jobs done in (\S+)\.$", log.read_text(), re.MULTILINE)
    if not done or int(done[1].replace(",", "")) < jobs:
        told = f"{done[1]} jobs were left" if done else "there was nothing left to run"
        raise SystemExit(f"{told}, and all are done: times are of a whole pass; remove {folder} for one.")
    again, said = seconds(project, *COMMAND, "--dry-run")
    verifying, verified = seconds(project, "fernn", "verify", "results/micro")
    table = csv.DictReader(project.read("tables/table1.csv").decode().splitlines())
    runs = {int(row["n"]) for row in table} - {0}
    if len(runs) != 1 or EACH * runs.pop() < jobs or "Would run" in said:
        raise SystemExit(f"not all was made:\n{said}")
    rows = [
        ["jobs", done[1]],
        ["total time on all cores", done[2]],
        ["first job starts after", f"{first:.0f} s"],
        ["peak memory of Snakemake", f"{memory / 2**20:.0f} MiB"],
        ["`snakemake --dry-run` before", f"{planning:.1f} s"],
        ["`snakemake --dry-run` after, nothing to do", f"{again:.1f} s"],
        ["`fernn verify` of all", f"{verifying:.1f} s: {verified.strip().splitlines()[-1]}"],
    ]
    text = tabulate(rows, ["one pass of Snakemake", ""], tablefmt="pipe", disable_numparse=True)
    typer.echo(text)
    if page is not None:
        write_table(page, "make load", text)


if __name__ == "__main__":
    typer.run(main)
