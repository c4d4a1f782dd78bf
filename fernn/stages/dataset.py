"""The stage that makes a part of a data set."""

import sys
from pathlib import Path

from fernn.jobs import Jobs
from fernn.layout import Layout
from fernn.params import Params
from fernn.stages.making import making


def make_dataset(params: Params, layout: Layout, name: str, planned: str | None = None) -> Path:
    """Make a part of a data set, such as "translation/test-V2T"; returns its file."""
    jobs = Jobs(params, layout)
    job = jobs.find("dataset", name)
    with making(jobs, job, planned) as task:
        if task and job.work:
            task.check(jobs)
            job.work.do(job.writes[0], _say)
            task.check(jobs)
    return job.writes[0]


def _say(line: str) -> None:
    print(line, file=sys.stderr)
