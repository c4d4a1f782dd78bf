"""`make gpu`: what half an hour of a CUDA machine is best used for, in parts that each have a limit and go on later.

First the tests that know a device, then the measurements, then training at scale paper for the minutes that are left.
What was done stays in a folder that can be carried to the next machine: a finished part is not done again, and a
training goes on from its checkpoint. It writes docs/gpu.md.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import torch
import typer

from fernn.experiments import load_params
from fernn.files import write_json, write_text
from fernn.layout import Layout
from fernn.params import Params
from fernn.pipeline.jobs import Job, Jobs
from fernn.provenance.environment import environment

ROOT = Path(__file__).parents[1]
NO_GPU = "make gpu needs a CUDA GPU, and torch {version} finds none here. ARGS=--dry-run prints what it would do."
OVER = 124  # the status of what did not end in its time, as of `timeout`
GRACE = 120  # seconds that a part may take to save its state when its time is over
SMALL = 16 * 2**20  # bytes of a checkpoint that is carried
WHOLE = 30  # minutes that the limits of the parts are made for
MEASURED = {  # with the minutes of each, at most
    **{"pace": 5, "translation": 3, "kth": 2},
    "rotation": 6,  # slow in float32, so after the others
}
BY_HAND = "<!-- by hand -->"
FERNN = sys.executable, "-m", "fernn.cli"
ORDER = ("G-RNN", "FERNN-V1T", "FERNN-V2T")  # the trainings, the shortest first


@dataclass(frozen=True)
class Part:
    """A piece of work: the name of its files, what it is, minutes of the `WHOLE` at most (None: what is left), its
    commands, and the training that it is.
    """

    name: str
    about: str
    minutes: float | None
    commands: Sequence[Sequence[str]]
    run: str | None = None


def parts(params: Params, quick: bool = False, rounds: int = 3) -> Iterator[Part]:
    """The parts of a scale, in order; `quick` measures at small sizes."""
    python = sys.executable, "-m"
    sizes = ["--rounds", str(rounds), *(["--quick"] if quick else [])]
    if params.mnist.sources:
        digits = [*FERNN, "fetch", "mnist", "--scale", params.scale]
        yield Part("digits", "The digits of MNIST, from the network unless they are there", 2, [digits])
    tests = [*python, "pytest", "-q", "--numprocesses", "0", "tests/device"]
    yield Part("tests", "Device tests", 5, [tests])
    for name, limit in MEASURED.items():
        command = [*python, "benchmarks", "--only", name, *sizes]
        yield Part(f"measure-{name}", f"Measurements: {name}", limit, [command])
    jobs = Jobs(params, Layout(params.scale))
    flow, seed = params.translation.runs[0].flow, params.translation.seeds[0]  # of Table 1
    for model in ORDER:
        for run in jobs.runs.values():
            if (run.experiment, run.flow, run.model, run.seed) == ("translation", flow, model, seed):
                yield Part(f"train-{model}", f"Training {run.id}", None, list(_training(jobs, run.id, quick)), run.id)


def _training(jobs: Jobs, run: str, allow_cpu: bool) -> Iterator[Sequence[str]]:
    """The commands of a training and of the data sets that it reads; they keep existing results."""
    scale = "--scale", jobs.params.scale
    names: list[str] = []

    def gather(job: Job) -> None:
        for maker in jobs.makers(job).values():
            gather(maker)
        if job.stage == "dataset" and job.name not in names:
            names.append(job.name)

    gather(jobs.find("train", run))
    yield from ((*FERNN, "dataset", name, *scale) for name in names)
    yield *FERNN, "train", run, *scale, *(["--allow-cpu"] if allow_cpu else [])


def main(
    minutes: Annotated[float, typer.Option(min=1, help="What all of it may take.")] = 30,
    folder: Annotated[
        Path | None,
        typer.Option(
            help="Where what was done is kept; carry it to the next machine. Usually build/gpu-SCALE, and one "
            "of its own for --quick."
        ),
    ] = None,
    scale: Annotated[str, typer.Option(help="The scale that is trained.")] = "paper",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the parts and their minutes; do nothing.")] = False,
    quick: Annotated[bool, typer.Option("--quick", help="Small sizes, on a CPU too, to see that it runs.")] = False,
    rounds: Annotated[int, typer.Option(min=1, help="How often the ways of a measurement take turns.")] = 3,
    output: Annotated[
        Path | None, typer.Option(help="The page to write. Usually docs/gpu.md; with --quick it is in the folder.")
    ] = None,
) -> None:
    """Test, measure and train on a CUDA machine for some minutes."""
    params = load_params(ROOT / "params.yaml", scale)
    folder = folder or Path(f"build/gpu-{scale}{'-quick' if quick else ''}")
    output = output or (folder / "gpu.md" if quick else ROOT / "docs" / "gpu.md")
    plan = list(parts(params, quick, rounds))
    if dry_run:
        for part in plan:
            limit = "what is left" if part.minutes is None else f"at most {part.minutes * minutes / WHOLE:g} min"
            typer.echo(f"{part.about}: {limit}{', done' if _state(folder, part).get('done') else ''}")
        typer.echo(f"All of it: {minutes:g} min, then {output}")
        return
    if not torch.cuda.is_available() and not quick:
        typer.echo(NO_GPU.format(version=torch.__version__), err=True)
        raise typer.Exit(1)
    layout, end = Layout(params.scale), time.monotonic() + 60 * minutes
    for part in plan:
        left = end - time.monotonic()
        if left <= 0:
            typer.echo(f"{part.about}: no time is left", err=True)
            continue
        if not _state(folder, part).get("done"):
            carry(layout, part, folder, back=True)
            do(folder, part, left if part.minutes is None else min(left, 60 * part.minutes * minutes / WHOLE))
            carry(layout, part, folder, back=False)
    write_text(output, page(folder, layout, plan) + by_hand(output))
    typer.echo(f"written to {output}; carry {folder} along to go on elsewhere")


def do(folder: Path, part: Part, seconds: float) -> None:
    """Run the commands of a part; when its time is over they are asked to save and end. Keep what they say."""
    typer.echo(f"{part.about}: at most {seconds / 60:.1f} min", err=True)
    folder.mkdir(parents=True, exist_ok=True)
    began, status = time.monotonic(), 0
    with open(folder / f"{part.name}.log", "w", encoding="utf-8") as log:
        for command in part.commands:
            status = _run(command, log.fileno(), seconds - (time.monotonic() - began))
            if status:
                break
    spent = _state(folder, part).get("seconds", 0) + time.monotonic() - began
    write_json(folder / f"{part.name}.json", {"done": status == 0, "status": status, "seconds": spent, **_origin()})
    typer.echo(f"{part.about}: {_how(_state(folder, part))}", err=True)


def _run(command: Sequence[str], log: int, seconds: float) -> int:
    process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log, start_new_session=True)
    try:
        return process.wait(max(seconds, 1))
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(GRACE)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        return OVER
    except BaseException:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait()
        raise


def carry(layout: Layout, part: Part, folder: Path, *, back: bool) -> None:
    """Copy what a training has reached into the folder, if it is small; or `back`, where the layout has none."""
    for name in ("checkpoint.safetensors", "pace.json") if part.run else ():
        _copy(layout.unfinished(str(part.run)) / name, folder / "unfinished" / str(part.run) / name, back)
    for name in ("model.safetensors", "metrics.csv", "record.json") if part.run else ():
        _copy(layout.run(str(part.run), name), folder / "finished" / str(part.run) / name, back)


def _copy(own: Path, carried: Path, back: bool) -> None:
    start, end = (carried, own) if back else (own, carried)
    if start.is_file() and start.stat().st_size <= SMALL and not (back and end.exists()):
        end.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(start, end)


def page(folder: Path, layout: Layout, plan: Sequence[Part]) -> str:
    """docs/gpu.md: each part, its machine, time and result, or that it was not run."""
    text = ["# On a GPU", "", "`make gpu` writes this page on your machine.", ""]
    text += ["| part | machine | commit | minutes | |", "| --- | --- | --- | --- | --- |"]
    for part in plan:
        state = _state(folder, part)
        how = _how(state)
        minutes = f"{state['seconds'] / 60:.1f}" if state else ""
        origin = " | ".join(state.get(key, "") for key in ("machine", "commit"))
        text.append(f"| {part.about} | {origin} | {minutes} | {how}{_reached(folder, part)} |")
    for part in plan:
        log = folder / f"{part.name}.log"
        if part.name.startswith("measure") and _state(folder, part).get("done"):
            _, *sections = log.read_text(encoding="utf-8").split("\n## ")
            text += [f"\n## {section.strip()}" for section in sections]
    return "\n".join(text) + "\n"


def by_hand(output: Path) -> str:
    """Text written by hand at the end of the existing page, which stays."""
    before = output.read_text(encoding="utf-8") if output.exists() else ""
    _, mark, rest = before.partition(BY_HAND)
    return "\n" + mark + rest if mark else ""


def _how(state: dict[str, Any]) -> str:
    if not state:
        return "not run"
    if state["done"]:
        return "done"
    return "time limit reached" if state["status"] == OVER else f"ended with status {state['status']}"


def _reached(folder: Path, part: Part) -> str:
    """How far a training came, and how fast."""
    if part.run is None:
        return ""
    try:
        pace: dict[str, Any] = json.loads((folder / "unfinished" / part.run / "pace.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return ""
    return f": {pace['steps']} steps, {1000 * pace['seconds'] / max(pace['steps'], 1):.0f} ms each"


def _state(folder: Path, part: Part) -> dict[str, Any]:
    try:
        state: dict[str, Any] = json.loads((folder / f"{part.name}.json").read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return state


def _origin() -> dict[str, str]:
    """The machine and the commit; a carried part may come from another one."""
    about = environment("cuda" if torch.cuda.is_available() else "cpu")
    asked = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True)
    return {"machine": about["device"], "torch": torch.__version__, "commit": asked.stdout.strip()}


if __name__ == "__main__":
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(main)
    app()
