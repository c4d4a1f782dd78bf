"""Which jobs of a scale are done, and how long they took."""

import csv
import json
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fernn.data.kth.archives import RECORD as FETCHED
from fernn.errors import FernnError
from fernn.layout import EVALUATION, RECORD, Layout
from fernn.params import Params
from fernn.pipeline.jobs import Jobs
from fernn.provenance.records import read_record
from fernn.runs import Run


@dataclass
class State:
    """How far a scale has come.

    Attributes:
        done: which jobs of each rule have all their files.
        trained: seconds that the training of a finished run took, on the device that `devices` names, those of all its
            workers added up; None if it diverged, since it ended early.
        evaluated: seconds that the evaluation of a run took.
        epochs: of a run that is under way, by its checkpoint.
        devices: what the finished runs were trained on.
        on_gpu: whether one of those is a GPU.
    """

    done: dict[str, list[bool]] = field(default_factory=dict)
    trained: dict[Run, float | None] = field(default_factory=dict)
    evaluated: dict[Run, float] = field(default_factory=dict)
    epochs: dict[Run, int] = field(default_factory=dict)
    devices: set[str] = field(default_factory=set)
    on_gpu: bool = False


def read_state(params: Params, layout: Layout) -> State:
    """Look at the files of a scale. What a change of params or code makes stale is not told: `snakemake -n` does."""
    jobs = Jobs(params, layout)
    state = state_of_runs(jobs)
    rules = {
        stage: [[*job.writes, job.record] for job in jobs.of(stage).values()]
        for stage in ("standins", "dataset", "train", "evaluate", "tables", "figures", "report")
    }
    fetched = [path for path in jobs.sources() if not jobs.carried(path)]
    digits = [path for path in fetched if path.name != FETCHED]
    rules["fetch"] = [[path] for path in fetched if path.name == FETCHED] + ([digits] if digits else [])
    for rule, outputs in rules.items():
        state.done[rule] = [all(path.exists() for path in files) for files in outputs]
    return state


def state_of_runs(jobs: Jobs) -> State:
    """Look at the files of the runs alone."""
    state = State()
    for run in jobs.runs.values():
        _look_at(state, jobs.layout, run)
    return state


def _look_at(state: State, layout: Layout, run: Run) -> None:
    if (file := layout.run(run.id, RECORD)).exists():
        with suppress(FernnError, KeyError):  # not of this version: Snakemake makes it again
            record = read_record(file)
            if record is None:  # moved aside since, for a run that is made again
                return
            seconds = record.details["seconds"] if record.details["steps"] else _benchmark(layout, "train", run)
            if record.details.get("diverged"):
                state.trained[run] = None
            elif seconds:
                state.trained[run] = seconds * record.workers
                state.devices.add(record.environment["device"])
                state.on_gpu |= "cuda" in record.environment
    elif (epoch := _epochs(layout.unfinished(run.id) / "checkpoint.safetensors")) is not None:
        state.epochs[run] = epoch
    if layout.evaluation(run.id, EVALUATION).exists() and (seconds := _benchmark(layout, "evaluate", run)):
        state.evaluated[run] = seconds


def _epochs(checkpoint: Path) -> int | None:
    """Finished epochs in a checkpoint; its header alone is read."""
    try:
        with open(checkpoint, "rb") as file:
            header: dict[str, Any] = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        epoch: int = json.loads(header["__metadata__"]["fernn"])["epoch"]
    except (OSError, ValueError, KeyError, MemoryError, OverflowError):
        return None
    return epoch


def _benchmark(layout: Layout, rule: str, run: Run) -> float | None:
    """Snakemake's measure of a job."""
    file = layout.base / "benchmarks" / rule / f"{run.id}.tsv"
    try:
        (row,) = csv.DictReader(file.read_text(encoding="utf-8").splitlines(), delimiter="\t")
        return float(row["s"])
    except (OSError, ValueError, KeyError):
        return None
