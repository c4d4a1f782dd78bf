"""The stages of a run: training and evaluation, both safe to start twice."""

from collections.abc import Callable
from pathlib import Path

from fernn.evaluation.outcome import Workplace as EvaluationPlace
from fernn.jobs import Jobs
from fernn.layout import Layout
from fernn.locks.gpus import one_gpu, visible_gpus
from fernn.locks.run import Lock, hold
from fernn.messages import say
from fernn.params import Params
from fernn.runs import is_candidate
from fernn.stages.making import Task, making
from fernn.training.checkpoint import discard
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
        if task is None:
            return job.writes[0]
        with one_gpu(progress.tell), measured(progress, unfinished / "pace.json", task.identity) as pace:
            device = choose_device(params.scale, allow_cpu)
            may_diverge = is_candidate(params, jobs.runs[name])
            checkpoint, check = unfinished / "checkpoint.safetensors", _check(lock, task, jobs)
            every = 60 * params.checkpoint_minutes
            done = job.make(Workplace(device, checkpoint, task.identity, progress, check, may_diverge, every))
        task.device = device.type
        spent = {name: pace[name] for name in ("steps", "seconds")}
        found = {name: getattr(done, name) for name in ("best_epoch", "diverged", "micro_batch")}
        task.details = {**found, **spent, **done.choices}
    return job.writes[0]


def evaluate_run(params: Params, layout: Layout, name: str, allow_cpu: bool, planned: str | None = None) -> Path:
    """Evaluate a trained run and write evaluation.json, samples.safetensors and record.json; returns the first.

    The checkpoint of its training goes then. Like a training it is safe to start twice, and it is refused on a CPU
    where the scale wants a GPU: of a large model over a long rollout it takes days there.
    """
    jobs = Jobs(params, layout)
    job = jobs.find("evaluate", name)
    if not visible_gpus():
        choose_device(params.scale, allow_cpu)  # refuses at once, before anything is read

    def tell(line: str) -> None:
        say(f"{name}: {line}")

    with hold(layout.lock(name), tell) as lock:
        with making(jobs, job, planned) as task:
            if task:
                with one_gpu(tell):
                    device = choose_device(params.scale, allow_cpu)
                    job.make(EvaluationPlace(device, name, _check(lock, task, jobs)))
                task.device = device.type
        discard(layout.unfinished(name))
    return job.writes[0]


def _check(lock: Lock, task: Task, jobs: Jobs) -> Callable[[], None]:
    """What is made sure of before results are written."""

    def check() -> None:
        lock.check()
        task.check(jobs)

    return check
