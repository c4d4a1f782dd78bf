"""Runs that are there or under way, as far as a plan looks at them."""

import json

from fernn.layout import RECORD, Layout
from fernn.params import Params
from fernn.provenance.environment import environment
from fernn.provenance.records import Record, write_record
from fernn.runs import Run, all_runs


def first(params: Params, model: str) -> Run:
    return next(run for run in all_runs(params).values() if run.model == model)


def finish(
    layout: Layout, run: Run, seconds: float, diverged: bool = False, workers: int = 1, **environment_too: str
) -> None:
    for name in ("model.safetensors", "metrics.csv"):
        layout.run(run.id, name).parent.mkdir(parents=True, exist_ok=True)
        layout.run(run.id, name).touch()
    said = {"inputs": {}, "lineage": "", "files": {}, "outputs": {}, "started": "", "ended": ""}
    details = {"steps": 10, "seconds": seconds, "diverged": diverged, "workers": workers}
    machine = environment() | environment_too
    record = Record(stage="train", name=run.id, scale="quick", environment=machine, details=details, **said)
    write_record(layout.run(run.id, RECORD), record)


def under_way(layout: Layout, run: Run, epoch: int) -> None:
    header = json.dumps({"__metadata__": {"fernn": json.dumps({"epoch": epoch})}}).encode()
    layout.unfinished(run.id).mkdir(parents=True)
    content = len(header).to_bytes(8, "little") + header
    (layout.unfinished(run.id) / "checkpoint.safetensors").write_bytes(content)


def evaluated(layout: Layout, run: Run, seconds: float) -> None:
    layout.evaluation(run.id, "results.csv").parent.mkdir(parents=True, exist_ok=True)
    layout.evaluation(run.id, "results.csv").touch()
    benchmark(layout, "evaluate", run, seconds)


def benchmark(layout: Layout, rule: str, run: Run, seconds: float) -> None:
    measured = layout.base / "benchmarks" / rule / f"{run.id}.tsv"
    measured.parent.mkdir(parents=True, exist_ok=True)
    measured.write_text(f"s\th:m:s\n{seconds}\t0:00:00\n")
