"""The stage that evaluates a run."""

import sys
from pathlib import Path

from fernn.evaluation.outcome import Workplace
from fernn.jobs import Jobs
from fernn.layout import Layout
from fernn.locks.gpus import one_gpu
from fernn.locks.run import hold
from fernn.params import Params
from fernn.stages.making import making
from fernn.training.checkpoint import discard
from fernn.training.device import choose_device


def evaluate_run(params: Params, layout: Layout, name: str, planned: str | None = None) -> Path:
    """Evaluate a trained run and write evaluation.json, samples.safetensors and record.json; returns the first.

    The checkpoint of its training goes then. Like a training it is safe to start twice.
    """
    jobs = Jobs(params, layout)
    job = jobs.find("evaluate", name)

    def say(line: str) -> None:
        print(f"{name}: {line}", file=sys.stderr)

    with hold(layout.lock(name), say) as lock:
        with making(jobs, job, planned) as task:
            if task and job.work:

                def check() -> None:
                    lock.check()
                    task.check(jobs)

                with one_gpu(say):
                    device = choose_device(params.scale, allow_cpu=True)  # slow on a CPU, but never days
                    job.work.do(Workplace(device, name, check), job.writes)
                task.device = device.type
        discard(layout.unfinished(name))
    return job.writes[0]
