"""The stage that trains a run."""

from pathlib import Path

from fernn.jobs import Jobs
from fernn.layout import Layout
from fernn.locks.gpus import one_gpu, visible_gpus
from fernn.locks.run import hold
from fernn.params import Params
from fernn.runs import is_candidate
from fernn.stages.making import making
from fernn.training.device import choose_device
from fernn.training.outcome import Workplace
from fernn.training.pace import measured
from fernn.training.progress import TrainingProgress


def train_run(params: Params, layout: Layout, name: str, allow_cpu: bool, planned: str | None = None) -> Path:
    """Train a run and write model.safetensors, metrics.csv and record.json; returns the model's file.

    A candidate of a search for the learning rate that diverges is finished all the same, and its record says so; any
    other run ends in an error.

    Safe to start twice: the second waits for the first, and finds the work done. The checkpoint stays until the run is
    evaluated: Snakemake removes the outputs of a job that it starts, as it does when it was killed and its successor
    does not know that a job of its predecessor went on.
    """
    jobs = Jobs(params, layout)
    job, unfinished = jobs.find("train", name), layout.unfinished(name)
    if not visible_gpus():
        choose_device(params.scale, allow_cpu)  # refuses at once, before anything is read
    with (
        TrainingProgress(name) as progress,
        hold(layout.lock(name), progress.tell) as lock,
        making(jobs, job, planned) as task,
    ):
        if task is None or job.work is None:
            return job.writes[0]

        def check() -> None:
            lock.check()
            task.check(jobs)

        with one_gpu(progress.tell), measured(progress, unfinished / "pace.json", task.identity) as pace:
            device = choose_device(params.scale, allow_cpu)
            may_diverge = is_candidate(params, jobs.runs[name])
            checkpoint = unfinished / "checkpoint.safetensors"
            place = Workplace(device, checkpoint, task.identity, progress, check, may_diverge)
            done = job.work.do(place, job.writes)
        task.device = device.type
        task.details = {
            "best_epoch": done.best_epoch,
            "diverged": done.diverged,
            "steps": pace["steps"],
            "seconds": pace["seconds"],
        }
    return job.writes[0]
