"""The stages of the pipeline, over any experiment: how a job's result is made.

Each stage follows one path (`making`): compare the job with what the workflow planned, verify every file that it reads,
stop if the result is up to date, do the work, verify the files again, and write the record last. This module handles
locks, GPUs and ranks. The code that decides the bytes of a result is in other modules, whose digest is in the record.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from fernn.errors import FernnError, listed, say
from fernn.evaluation.outcome import Workplace
from fernn.experiments import resolve
from fernn.files import remove_leftovers
from fernn.gpus import some_gpus, visible_gpus
from fernn.layout import Layout
from fernn.locks import Lock, hold
from fernn.params import Params
from fernn.pipeline.audit import Audit, Status
from fernn.pipeline.jobs import Job, Jobs
from fernn.provenance.environment import environment
from fernn.provenance.lineages import representative
from fernn.provenance.records import Record, identity, now, write_record
from fernn.runs import gpus_of, is_candidate
from fernn.training.checkpoint import discard
from fernn.training.device import choose_device
from fernn.training.distributed import SINGLE_PROCESS, StoppedError, World, launch
from fernn.training.loop import Interrupted, TrainingContext
from fernn.training.progress import TrainingProgress


@dataclass
class Making:
    """A job whose result is being made, and what its record will hold.

    Attributes:
        jobs: of the scale.
        job: that is done.
        lineage: of the job, as it was when the stage started.
        files: digests of the files that it reads by role and path, taken before they are read.
        device: "cpu" or "cuda", where torch computes.
        environments: of all processes that computed a part of it, the last one last; if none, that of this process.
        details: values that only this stage records.
    """

    jobs: Jobs
    job: Job
    lineage: str
    files: dict[str, dict[str, str]]
    device: str | None = None
    environments: list[dict[str, Any]] = field(default_factory=list)
    details: dict[str, Any] = field(default_factory=dict)

    def check(self) -> None:
        """Verify that the files are those that were read, and remove the old record, before the result is written.

        Raises:
            FernnError: if a file was changed since.
        """
        later = Audit(self.jobs).digests(self.job.read_files)
        for name, digest in chain.from_iterable(files.items() for files in self.files.values()):
            if later.get(name) != digest:
                raise FernnError(f"{name} was changed while {self.job} read it: run this again.")
        self.job.record.unlink(missing_ok=True)


@contextmanager
def making(jobs: Jobs, job: Job, planned: str | None) -> Iterator[Making | None]:
    """Make a job's result inside; the record is written at the end. Yields None if the result is up to date.

    Raises:
        FernnError: if params or code are not those that the workflow planned with, or a file that the job reads is
            missing, outdated or corrupt.
    """
    lineage = jobs.lineage(job)
    if planned not in (None, lineage):
        raise FernnError(
            f"{job}: params.yaml or the library was edited since the workflow started: it planned {planned}, and now "
            f"it would be {lineage}. Nothing was made. Start snakemake again: it runs what the edit asks for."
        )
    audit = Audit(jobs)
    if problems := audit.problems(job):
        raise FernnError(
            f"{job} cannot start, since its inputs are not up to date:{listed(list(problems.values()))}\n"
            f"This makes them: snakemake {next(iter(problems))} --cores all --config scale={jobs.params.scale}"
        )
    found = audit.of(job)
    if found.status is Status.CURRENT:
        say(f"{job}: already up to date, by {job.record}. Remove the result to rebuild it.")
        yield None
        return
    if found.status is not Status.MISSING:
        say(f"{job} is {found.status.value} and is rebuilt: {'; '.join(found.reasons)}")
        if job.stage == "train" and found.status is Status.OUTDATED:
            _set_aside(job, jobs.layout, found.record.lineage if found.record else "unknown")
    for path in (*job.writes, job.record):
        remove_leftovers(path)
    started = now()
    made = Making(jobs, job, lineage, {role: audit.digests(paths) for role, paths in job.reads.items()})
    yield made
    *others, here = made.environments or [environment(made.device)]
    record = Record(
        stage=job.stage,
        name=job.name,
        scale=jobs.params.scale,
        inputs=job.inputs,
        job=job.digest,
        lineage=lineage,
        files=made.files,
        outputs=Audit(jobs).digests(job.writes),
        started=started,
        ended=now(),
        environment=here,
        others=others,
        details=made.details,
    )
    write_record(job.record, record)


def _set_aside(job: Job, layout: Layout, lineage: str) -> None:
    """Keep a trained run that another one replaces: it took long, and its params may come back."""
    folder = layout.superseded(job.name, lineage)
    folder.mkdir(parents=True, exist_ok=True)
    for path in (*job.writes, job.record):
        if path.exists():
            path.replace(folder / path.name)
    say(f"{job}: the run that was there is kept as {folder}, until `fernn prune --scale {layout.scale}`")


def make_result(params: Params, layout: Layout, stage: str, name: str = "", planned: str | None = None) -> list[Path]:
    """Make stand-ins, a part of a data set, tables, figures or the report; returns the files, their record last.

    Safe to start twice, even with other params: the second waits for the first. If `planned` is given, the result must
    have this lineage.

    Raises:
        FernnError: if there is no such part, the scale draws no stand-ins, or the job cannot be done (see `making`).
    """
    jobs = Jobs(params, layout)
    job = jobs.find(stage, name)
    with hold(layout.lock(str(job).replace(" ", "/")), say) as lock, making(jobs, job, planned) as made:
        if made:
            made.check()
            job.make()
            made.check()
            lock.check()
    return [*job.writes, job.record]


def train_run(
    params: Params, layout: Layout, name: str, allow_cpu: bool, planned: str | None = None, workers: int | None = None
) -> Path:
    """Train a run and write model.safetensors, metrics.csv and record.json; returns the model's file.

    A trial of a search for the learning rate that diverges is finished, and its record says so; any other run that
    diverges ends in an error.

    Safe to start twice: the second waits for the first, and finds the work done. The checkpoint stays until the run is
    evaluated: Snakemake removes the outputs of a job that it starts, even if a job of a killed Snakemake still runs.

    `planned`, if given, is the lineage that the result must have. `workers` is the world size, by default the number of
    GPUs that the params ask for, or 1 on a CPU.

    Raises:
        Interrupted: after the checkpoint is saved.
        FernnError: if the training diverged and may not, a rank died, or a job of Slurm has more than one node.
    """
    jobs = Jobs(params, layout)
    job = jobs.find("train", name)
    if not visible_gpus():
        choose_device(params.scale, allow_cpu)  # refuses at once, before anything is read
    tell = partial(_tell, name)
    with hold(layout.lock(name), tell) as lock, making(jobs, job, planned) as made:
        if made is None:
            return job.writes[0]
        with some_gpus(workers or max(gpus_of(params, jobs.runs[name]), 1), tell) as gpus:
            device = choose_device(params.scale, allow_cpu)
            size = gpus or workers or 1
            # the class of the params is made at run time, so another process gets their content
            content = {**params.model_dump(), "scales": {params.scale: None}}
            arguments = content, layout, name, lock, made.lineage, made.files
            if size == 1:
                made.environments, made.details = _train(SINGLE_PROCESS, device, *arguments)
            elif (nodes := os.environ.get("SLURM_JOB_NUM_NODES", "1")) != "1":
                raise FernnError(
                    f"{name}: this Slurm job has {nodes} nodes, but the {size} GPUs that share a run must be in one: "
                    "request --nodes=1, as --profile slurm does."
                )
            else:
                tell(f"{size} ranks share each batch")
                try:
                    made.environments, made.details = launch(size, _train, *arguments)
                except StoppedError as error:
                    raise Interrupted(error.signum, _checkpoint(layout, name)) from None
    return job.writes[0]


def _train(
    world: World,
    device: torch.device,
    content: dict[str, Any],
    layout: Layout,
    name: str,
    lock: Lock,
    lineage: str,
    files: dict[str, dict[str, str]],
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Train as one rank; returns the environments of all processes that computed a part, this one last, and details."""
    params = resolve(content)
    jobs = Jobs(params, layout)
    job = jobs.find("train", name)
    made = Making(jobs, job, lineage, files)
    # all that the bytes depend on; the same for code that is known to be equivalent
    everything = identity([representative(lineage, device.type), files])

    def check() -> None:
        lock.check()
        made.check()

    pace_file = layout.unfinished(name) / "pace.json" if world.first else None
    with TrainingProgress(name, None if world.first else Console(quiet=True), pace_file, everything) as progress:
        context = TrainingContext(
            device=device,
            checkpoint=_checkpoint(layout, name),
            identity=everything,
            progress=progress,
            check=check,
            may_diverge=is_candidate(params, jobs.runs[name]),
            save_every=60 * params.checkpoint_minutes,
            world=world,
            environment=partial(environment, device.type),
        )
        done = job.make(context, job.writes)
    here = environment(device.type)
    details = {
        **{key: getattr(done, key) for key in ("best_epoch", "diverged", "micro_batch")},
        **{key: progress.pace[key] for key in ("steps", "seconds")},
        "workers": world.size,
        **done.choices,
    }
    return [*(each for each in done.environments if each != here), here], details


def evaluate_run(params: Params, layout: Layout, name: str, allow_cpu: bool, planned: str | None = None) -> Path:
    """Evaluate a trained run and write results.csv, samples.safetensors and record.json; returns the first file.

    Then the checkpoint of its training is removed. Safe to start twice, like a training. On a CPU it is refused where
    the scale wants a GPU: a long rollout of a large model takes days there.
    """
    jobs = Jobs(params, layout)
    job = jobs.find("evaluate", name)
    if not visible_gpus():
        choose_device(params.scale, allow_cpu)  # refuses at once, before anything is read
    tell = partial(_tell, name)
    with hold(layout.lock(name), tell) as lock:
        with making(jobs, job, planned) as made:
            if made:
                with some_gpus(1, tell):
                    device = choose_device(params.scale, allow_cpu)

                    def check() -> None:
                        lock.check()
                        made.check()

                    job.make(Workplace(device, name, check), job.writes)
                made.device = device.type
        discard(layout.unfinished(name))
    return job.writes[0]


def _tell(name: str, line: str) -> None:
    say(f"{name}: {line}")


def _checkpoint(layout: Layout, name: str) -> Path:
    return layout.unfinished(name) / "checkpoint.safetensors"
