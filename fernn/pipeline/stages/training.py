"""One training, done by this process or by several that share its batches."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from fernn.errors import FernnError, say
from fernn.experiments import resolve
from fernn.layout import Layout
from fernn.locks import Lock
from fernn.params import Params
from fernn.pipeline.jobs import Jobs
from fernn.pipeline.stages.making import Task
from fernn.provenance.environment import environment
from fernn.runs import is_candidate
from fernn.training.device import choose_device
from fernn.training.launch import StoppedError, launch
from fernn.training.loop import Interrupted
from fernn.training.outcome import Workplace
from fernn.training.pace import measured
from fernn.training.progress import TrainingProgress
from fernn.training.workers import ALONE, Workers


@dataclass(frozen=True)
class Order:
    """What is to be trained; it can be sent to another process.

    Attributes:
        layout: where files lie.
        name: of the run.
        allow_cpu: whether it may be trained without a GPU.
        lock: of the run, which the process that gives the order holds.
        lineage: of the job, as that process reckoned it.
        files: digests of what is read, as that process found them.
    """

    layout: Layout
    name: str
    allow_cpu: bool
    lock: Lock
    lineage: str
    files: dict[str, dict[str, str]]

    @property
    def unfinished(self) -> Path:
        """The folder of what is kept while it is under way."""
        return self.layout.unfinished(self.name)

    @property
    def checkpoint(self) -> Path:
        """The file that it goes on from."""
        return self.unfinished / "checkpoint.safetensors"


@dataclass(frozen=True)
class Done:
    """What the record of a training holds besides files: the environments that computed it, ours last, and details."""

    environments: list[dict[str, Any]]
    details: dict[str, Any]


def train(params: Params, order: Order, workers: int) -> Done:
    """Train by this process, or by so many others on this machine.

    Raises:
        Interrupted: after the checkpoint is saved.
        FernnError: if the training diverged and may not, a worker died, or a job of Slurm has more than one node.
    """
    device = choose_device(params.scale, order.allow_cpu)
    if workers == 1:
        return _work(ALONE, device, params, order)
    if (nodes := os.environ.get("SLURM_JOB_NUM_NODES", "1")) != "1":
        raise FernnError(
            f"{order.name}: this job of Slurm has {nodes} nodes, and the {workers} GPUs that share a run have to be in "
            "one: ask for --nodes=1, as --profile slurm does."
        )
    teller(order.name)(f"{workers} workers share each batch")
    content = {**params.model_dump(), "scales": {params.scale: None}}  # the class of params is made at run time
    try:
        found: Done = launch(workers, _work_of, content, order)
    except StoppedError as error:
        raise Interrupted(error.signum, order.checkpoint) from None
    return found


def teller(name: str) -> Callable[[str], None]:
    """What tells a person a line about a run."""
    return lambda line: say(f"{name}: {line}")


def _work_of(workers: Workers, device: torch.device, content: dict[str, Any], order: Order) -> Done:
    return _work(workers, device, resolve(content), order)


def _work(workers: Workers, device: torch.device, params: Params, order: Order) -> Done:
    """Train, as one of the workers."""
    jobs = Jobs(params, order.layout)
    job = jobs.find("train", order.name)
    task = Task(job, order.lineage, order.files, started="", device=device.type)

    def check() -> None:
        order.lock.check()
        task.check(jobs)

    pace_file = order.unfinished / "pace.json" if workers.first else None
    with (
        TrainingProgress(order.name, None if workers.first else Console(quiet=True)) as progress,
        measured(progress, pace_file, task.identity) as pace,
    ):
        place = Workplace(
            device=device,
            checkpoint=order.checkpoint,
            identity=task.identity,
            progress=progress,
            check=check,
            may_diverge=is_candidate(params, jobs.runs[order.name]),
            save_every=60 * params.checkpoint_minutes,
            workers=workers,
            environment=partial(environment, device.type),
        )
        done = job.make(place)
    spent = {name: pace[name] for name in ("steps", "seconds")}
    found = {name: getattr(done, name) for name in ("best_epoch", "diverged", "micro_batch")}
    here = environment(device.type)
    environments = [*(each for each in done.environments if each != here), here]
    return Done(environments, {**found, **spent, "workers": workers.count, **done.choices})
