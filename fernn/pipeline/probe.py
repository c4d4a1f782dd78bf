"""Runs the probe with the code of one folder; a script, which `fernn.pipeline.equivalent` starts there.

It only calls the command line of that code, so that it works with any version. Its standard input is a JSON object:

    stages    of each scale, in their order
    workers   of runs that several processes train
    again     null: make all results. Else the jobs of an earlier call, in order: rebuild each of them from the
              results that are there, compare, and restore what was there
    scales    whose lineages are wanted

It writes a JSON object to the file named by its argument: "jobs", each [scale, stage, name]; "workers" as they were;
"differs", the files of each job whose bytes differ; "lineages" by scale and job; and "device".
"""

import contextlib
import hashlib
import importlib
import inspect
import json
import shutil
import signal
import sys
from pathlib import Path
from typing import Any

SAVED = Path("saved")
TIMES = ("steps", "seconds")  # of a record's details: what differs from run to run


def call(*words: str) -> None:
    """Run a command of `fernn` in this process."""
    from fernn.cli import app

    app([*words], standalone_mode=False)


def lineages(scale: str) -> dict[str, str]:
    """The lineage of each job of a scale, by stage and name."""
    call("dependencies", "--scale", scale)
    found: dict[str, str] = {}
    for path in Path("results", scale, "dependencies").glob("*.json"):
        content = json.loads(path.read_text())
        stage = {"datasets": "dataset"}.get(path.stem, path.stem)
        jobs = {"standins": content["stand_ins"]} if stage == "data" else {stage: content}
        for of, by_name in jobs.items():
            found |= {f"{of} {name}".rstrip(): lineage for name, lineage in by_name.items()}
    if all(isinstance(lineage, str) for lineage in found.values()):
        return found
    # code from before 2026-12 writes inputs there
    from fernn.experiments import load_params
    from fernn.layout import Layout

    made = importlib.import_module("fernn.jobs").Jobs(load_params("params.yaml", scale), Layout(scale))
    return {str(job): made.lineage(job) for job in made.all.values()}


def make(scale: str, stage: str, name: str, workers: int | None, interrupt: bool = False) -> None:
    """Make one result; an interrupted training is resumed."""
    words = [stage, *([name] if name else []), "--scale", scale, *(["--workers", str(workers)] if workers else [])]
    Interruption.armed = interrupt
    try:
        call(*words)
    except Exception as error:
        if not interrupt or getattr(error, "signum", None) is None:
            raise
        call(*words)
    if stage == "standins":
        call("fetch", "kth", "--scale", scale)


class Interruption:
    """Asks this process to stop once, when it saves a checkpoint."""

    armed = False

    @classmethod
    def watch(cls, event: str, arguments: tuple[Any, ...]) -> None:
        """An audit hook: Python calls it before it renames a file."""
        if cls.armed and event == "os.rename" and str(arguments[1]).endswith("checkpoint.safetensors"):
            cls.armed = False
            signal.raise_signal(signal.SIGTERM)


def supports_workers() -> bool:
    """Whether several processes can share a run."""
    from fernn.cli import train

    return "workers" in inspect.signature(train).parameters


def make_all(stages: dict[str, list[str]], workers: dict[str, int]) -> list[tuple[str, str, str]]:
    """Make all results; returns the jobs in the order in which they were made."""
    if not supports_workers():
        workers.clear()  # from before 2026-11-28: each run is trained by one process
    done = []
    for scale, wanted in stages.items():
        names = [job.partition(" ") for job in lineages(scale)]
        for stage in wanted:
            todo = [name for of, _, name in names if of == stage]
            while todo:  # a part of a data set may be made of another one
                failed = {}
                for name in todo:
                    try:
                        make(scale, stage, name, workers.get(name) if stage == "train" else None)
                        done.append((scale, stage, name))
                    except Exception as error:
                        failed[name] = error
                if len(failed) == len(todo):
                    raise next(iter(failed.values()))
                todo = [*failed]
    return done


def rebuild(jobs: list[tuple[str, str, str]], workers: dict[str, int]) -> dict[str, list[str]]:
    """Rebuild each result; returns the files that differ, by job."""
    records = {}
    for path in Path("results").rglob("*record.json"):
        record = json.loads(path.read_text())
        records[record["scale"], record["stage"], record["name"]] = path
    differs = {}
    for scale, stage, name in jobs:
        path = records[scale, stage, name]
        before = json.loads(path.read_text())
        for file in (path.as_posix(), *before["outputs"]):
            (SAVED / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.move(file, SAVED / file)
        shared = workers.get(name) if stage == "train" else None
        try:
            make(scale, stage, name, shared, interrupt=stage == "train" and not shared)
            found = [file for file, digest in before["outputs"].items() if digest_of(file) != digest]
            found += differing(before["details"], json.loads(path.read_text())["details"])
        except Exception as error:
            found = [f"cannot be made: {error}"]
        if found:
            differs[f"{scale} {stage} {name}".rstrip()] = found
        for file in (path.as_posix(), *before["outputs"]):
            shutil.move(SAVED / file, file)
    return differs


def digest_of(file: str) -> str | None:
    """The sha256 of a file, None if there is none."""
    return hashlib.sha256(Path(file).read_bytes()).hexdigest() if Path(file).exists() else None


def differing(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """The details that differ between two records of one result, such as the best epoch; not times."""
    return [name for name in before.keys() & now.keys() if before[name] != now[name] and name not in TIMES]


def main() -> None:
    """Do what standard input asks for."""
    task = json.load(sys.stdin)
    sys.addaudithook(Interruption.watch)
    found: dict[str, Any] = {"lineages": {scale: lineages(scale) for scale in task["scales"]}, "differs": {}}
    if task["again"] is None:
        found["jobs"] = make_all(task["stages"], task["workers"])
        found["workers"] = task["workers"]
    else:
        found["differs"] = rebuild(task["again"], task["workers"])
    import torch

    found["device"] = "cuda" if torch.cuda.is_available() else "cpu"
    Path(sys.argv[1]).write_text(json.dumps(found))


if __name__ == "__main__":
    with contextlib.redirect_stdout(sys.stderr):
        main()
