"""What users wait for: commands of every day, and the whole way at the quick scale, in a fresh clone."""

import csv
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch

from benchmarks.report import Options, Table, duration
from benchmarks.timing import alternate
from fernn.errors import FernnError
from fernn.experiments import load_params
from fernn.flows.translation import Translation
from fernn.layout import Layout
from fernn.params import Params
from fernn.runs import Run, all_runs

ROOT = Path(__file__).parents[1]
PLANNED = re.compile(r"(\d+) jobs to do")
COLUMNS = ["what", "time", "of it"]


def measure(options: Options) -> list[Table]:
    """The table; of small sizes, its commands without the demo."""
    with tempfile.TemporaryDirectory() as folder:
        demo, used = Path(folder, "demo"), Path(folder, "used")
        for clone in (demo, used):
            _call(["git", "clone", "--quiet", str(ROOT), str(clone)], ROOT, {})
        rows = [] if options.params.scale == "quick" else _demo(options, demo)
        rows += _commands(options, used)
    text = (
        "In a fresh clone of the last commit. Of `make demo` once, with what it says of its own jobs, which run side "
        "by side; of the commands the median. How long the set-up takes depends on the network, too."
    )
    return [Table("What users wait for", text, COLUMNS, rows)]


def _demo(options: Options, clone: Path) -> list[list[str]]:
    options.say("make demo, some ten minutes")
    began = time.perf_counter()
    planned, jobs, last = 0.0, "", ""
    to_us = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    with subprocess.Popen(["make", "demo"], cwd=clone, env=_environment(), text=True, **to_us) as process:
        for line in process.stdout or ():
            found = PLANNED.search(line)
            if found and not planned:
                planned, jobs = time.perf_counter() - began, found[1]
            last = line
    if process.returncode != 0:
        raise FernnError(f"make demo failed in a fresh clone: {last.strip()}")
    whole = time.perf_counter() - began
    params = load_params(clone / "params.yaml", "quick")
    run = _longest(params)
    epochs = params.section(run.experiment).training.epochs
    base = clone / Layout(params.scale).base / "benchmarks"
    trained, evaluated = (_seconds(base / part / f"{run.id}.tsv") for part in ("train", "evaluate"))
    return [
        ["`make demo`", duration(whole), f"{jobs} jobs, set-up included"],
        ["its first jobs begin after", duration(planned), "set-up: a virtual environment, its packages"],
        [f"training {run.id}", duration(trained), f"{epochs} epochs; an epoch is {duration(trained / epochs)}"],
        ["evaluating it", duration(evaluated), "with the start of a process"],
    ]


def _longest(params: Params) -> Run:
    """A run of experiment A with the most generators."""
    models = params.translation.models
    runs = [run for run in all_runs(params).values() if run.experiment == "translation"]
    return max(runs, key=lambda run: len(Translation.parse(models[run.model].flow)))


def _seconds(path: Path) -> float:
    """What Snakemake measured of a job."""
    with path.open(encoding="utf-8", newline="") as lines:
        return float(next(csv.DictReader(lines, delimiter="\t"))["s"])


def _commands(options: Options, clone: Path) -> list[list[str]]:
    own = {"PYTHONPATH": str(clone)}
    ways: dict[str, Sequence[str]] = {
        "the help of `fernn`": ["fernn", "--help"],
        "`snakemake -n` at scale paper": ["snakemake", "-n", "--config", "scale=paper"],
    }
    if options.params.scale != "quick":
        _call(["dvc", "pull"], clone, own)
        ways["`dvc repro` with nothing to do"] = ["dvc", "repro"]
    options.say("commands")
    calls = {name: (lambda command=command: _call(command, clone, own)) for name, command in ways.items()}
    timings = alternate(calls, options.rounds, torch.device("cpu"), options.say)
    return [[name, duration(timing.median), ""] for name, timing in timings.items()]


def _call(command: Sequence[str], folder: Path, more: Mapping[str, str]) -> None:
    done = subprocess.run(
        command, cwd=folder, env={**_environment(), **more}, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    if done.returncode != 0:
        raise FernnError(f"{' '.join(command)} failed in a fresh clone: {done.stderr.strip()[-500:]}")


def _environment() -> dict[str, str]:
    """This one, with the commands of this Python first."""
    return {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
