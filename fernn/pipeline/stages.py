"""The stages of the pipeline over any experiment: how a job's result is made, wherever and by whomever it is asked for.

Each stage follows one path (`making`): compare the job with what the workflow planned, verify every file that it reads,
leave a result alone that is up to date, do the work, verify the files once more, and write the record last. Locks, GPUs
and ranks are the business of this module; the code that decides the bytes of a result is in modules of its own, whose
digest is in the record.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
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
from fernn.provenance.equivalence import representative
from fernn.provenance.records import Record, identity, now, write_record
from fernn.runs import gpus_of, is_candidate
from fernn.training.checkpoint import discard
from fernn.training.device import choose_device
from fernn.training.distributed import SINGLE_PROCESS, StoppedError, World, launch
from fernn.training.loop import Interrupted, TrainingContext
from fernn.training.progress import TrainingProgress

Digests = dict[str, dict[str, str]]  # of files, by role and path


@dataclass
class Making:
    """A job whose result is being made, and what its record will hold.

    Attributes:
        jobs: of the scale.
        job: that is done.
        lineage: of the job, as it was when the stage started.
        files: digests of the files that it reads, taken before they are read.
        device: "cpu" or "cuda", where torch computes.
        environment: of the process that computed the result, if that was another one.
        others: environments of other processes that computed a part of it.
        details: values that only this stage records.
    """

    jobs: Jobs
    job: Job
    lineage: str
    files: Digests
    device: str | None = None
    environment: dict[str, Any] | None = None
    others: list[dict[str, Any]] = field(default_factory=list)
    details: dict[str, Any] = field(default_factory=dict)

    def check(self) -> None:
        """Verify that the files are those that were read, and remove the old record, before the result is written.

        Raises:
            FernnError: if a file was changed since.
        """
        later = Audit(self.jobs).digests(self.job.read_files)
        for files in self.files.values():
            for name, digest in files.items():
                if later.get(name) != digest:
                    raise FernnError(f"{name} was changed while {self.job} read it: run this again.")
        self.job.record.unlink(missing_ok=True)


@contextmanager
def making(jobs: Jobs, job: Job, planned: str | None) -> Iterator[Making | None]:
    """Make a job's result inside; the record is written at the end. Gives None if the result is up to date.

    Raises:
        FernnError: if params or code are not those that the workflow planned with, or a file that the job reads is
            missing, or not what params, code and data of today make.
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
            f"{job} cannot start, since what it reads is not as it should be:{listed(list(problems.values()))}\n"
            f"This makes it: snakemake {next(iter(problems))} --cores all --config scale={jobs.params.scale}"
        )
    found = audit.of(job)
    if found.status is Status.CURRENT:
        say(
            f"{job}: there already, of the same params, code and files, says {job.record}. Remove the result to "
            "rebuild it."
        )
        yield None
        return
    if found.status is not Status.MISSING:
        say(f"{job}: what is there is {found.status.value} and is rebuilt: {'; '.join(found.reasons)}")
        if job.stage == "train" and found.status is Status.OUTDATED:
            _set_aside(job, jobs.layout, found.record.lineage if found.record else "unknown")
    for path in (*job.writes, job.record):
        remove_leftovers(path)
    started = now()
    made = Making(jobs, job, lineage, {role: audit.digests(paths) for role, paths in job.reads.items()})
    yield made
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
        environment=made.environment or environment(made.device),
        others=made.others,
        details=made.details,
    )
    write_record(job.record, record)


def _set_aside(job: Job, layout: Layout, lineage: str) -> None:
    """Keep a trained run that makes room for another one: it took long, and its params may come back."""
    folder = layout.superseded(job.name, lineage)
    folder.mkdir(parents=True, exist_ok=True)
    for path in (*job.writes, job.record):
        if path.exists():
            path.replace(folder / path.name)
    say(f"{job}: the run that was there is kept as {folder}, until `fernn prune --scale {layout.scale}`")


def make_result(params: Params, layout: Layout, stage: str, name: str = "", planned: str | None = None) -> list[Path]:
    """Make stand-ins, a part of a data set, tables, figures or the report; returns the files, their record last.

    Safe to start twice, with other params, too: the second waits for the first.

    Args:
        params: of a scale.
        layout: of its files.
        stage: the command of `fernn`.
        name: of a part, such as "translation/test-V2T".
        planned: lineage of the only result that may be made, if given.

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

    A candidate of a search for the learning rate that diverges is finished all the same, and its record says so; any
    other run ends in an error.

    Safe to start twice: the second waits for the first, and finds the work done. The checkpoint stays until the run is
    evaluated: Snakemake removes the outputs of a job that it starts, also when it was killed and its successor does not
    know that a job of its predecessor went on.

    Args:
        params: of a scale.
        layout: of its files.
        name: of the run.
        allow_cpu: whether it may be trained without a GPU.
        planned: lineage of the only result that may be made, if given.
        workers: the world size; if not given, as many as the params ask GPUs for, one on a CPU.

    Raises:
        Interrupted: after the checkpoint is saved.
        FernnError: if the training diverged and may not, a rank died, or a job of Slurm has more than one node.
    """
    jobs = Jobs(params, layout)
    job = jobs.find("train", name)
    if not visible_gpus():
        choose_device(params.scale, allow_cpu)  # refuses at once, before anything is read
    tell = _teller(name)
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
                environments, made.details = _train(SINGLE_PROCESS, device, *arguments)
            else:
                _check_single_node(name, size)
                tell(f"{size} workers share each batch")
                try:
                    environments, made.details = launch(size, _train, *arguments)
                except StoppedError as error:
                    raise Interrupted(error.signum, _checkpoint(layout, name)) from None
        *made.others, made.environment = environments
    return job.writes[0]


def _train(
    world: World,
    device: torch.device,
    content: dict[str, Any],
    layout: Layout,
    name: str,
    lock: Lock,
    lineage: str,
    files: Digests,
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Train as one rank.

    Returns:
        For the record: the environments of all processes that computed a part of it, this one's last, and the details.
    """
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

    The checkpoint of its training is removed then. Like a training it is safe to start twice, and it is refused on a
    CPU where the scale wants a GPU: a long rollout of a large model takes days there.
    """
    jobs = Jobs(params, layout)
    job = jobs.find("evaluate", name)
    if not visible_gpus():
        choose_device(params.scale, allow_cpu)  # refuses at once, before anything is read
    tell = _teller(name)
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


def _teller(name: str) -> Callable[[str], None]:
    """Logs a line about a run."""
    return lambda line: say(f"{name}: {line}")


def _checkpoint(layout: Layout, name: str) -> Path:
    return layout.unfinished(name) / "checkpoint.safetensors"


def _check_single_node(name: str, size: int) -> None:
    if (nodes := os.environ.get("SLURM_JOB_NUM_NODES", "1")) != "1":
        raise FernnError(
            f"{name}: this job of Slurm has {nodes} nodes, and the {size} GPUs that share a run have to be in one: ask "
            "for --nodes=1, as --profile slurm does."
        )
