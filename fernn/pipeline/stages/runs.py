"""The stages of a run: training and evaluation, both safe to start twice."""

from pathlib import Path

from fernn.evaluation.outcome import Workplace
from fernn.gpus import some_gpus, visible_gpus
from fernn.layout import Layout
from fernn.locks import hold
from fernn.params import Params
from fernn.pipeline.jobs import Jobs
from fernn.pipeline.stages.making import making
from fernn.pipeline.stages.training import Order, teller, train
from fernn.runs import gpus_of
from fernn.training.checkpoint import discard
from fernn.training.device import choose_device


def train_run(
    params: Params, layout: Layout, name: str, allow_cpu: bool, planned: str | None = None, workers: int | None = None
) -> Path:
    """Train a run and write model.safetensors, metrics.csv and record.json; returns the model's file.

    A candidate of a search for the learning rate that diverges is finished all the same, and its record says so; any
    other run ends in an error.

    Safe to start twice: the second waits for the first, and finds the work done. The checkpoint stays until the run is
    evaluated: Snakemake removes the outputs of a job that it starts, as it does when it was killed and its successor
    does not know that a job of its predecessor went on.

    Args:
        params: of a scale.
        layout: where its files lie.
        name: of the run.
        allow_cpu: whether it may be trained without a GPU.
        planned: lineage of the only result that may be made, if given.
        workers: processes that share each batch; if not given, as many as the params ask GPUs for, one on a CPU.
    """
    jobs = Jobs(params, layout)
    job = jobs.find("train", name)
    if not visible_gpus():
        choose_device(params.scale, allow_cpu)  # refuses at once, before anything is read
    tell = teller(name)
    with hold(layout.lock(name), tell) as lock, making(jobs, job, planned) as task:
        if task is None:
            return job.writes[0]
        wanted = workers or max(gpus_of(params, jobs.runs[name]), 1)
        with some_gpus(wanted, tell) as gpus:
            order = Order(layout, name, allow_cpu, lock, task.lineage, task.files)
            done = train(params, order, gpus or workers or 1)
        *task.others, task.environment = done.environments
        task.details = done.details
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
    tell = teller(name)
    with hold(layout.lock(name), tell) as lock:
        with making(jobs, job, planned) as task:
            if task:
                with some_gpus(1, tell):
                    device = choose_device(params.scale, allow_cpu)

                    def check() -> None:
                        lock.check()
                        task.check(jobs)

                    job.make(Workplace(device, name, check))
                task.device = device.type
        discard(layout.unfinished(name))
    return job.writes[0]
