"""The way that every stage goes: control around the work, files in, files out, a record beside them.

A stage holds what it was asked to do against today's params and code, and every file that it
reads against the record of whoever made it; it leaves a result alone that is there already; it has the work done, which
lies in modules of its own, whose code stands in the record; and it writes the record last.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fernn.errors import FernnError, listed, say
from fernn.files import remove_leftovers
from fernn.layout import Layout
from fernn.locks import hold
from fernn.params import Params
from fernn.pipeline.audit import Audit, Status
from fernn.pipeline.jobs import Job, Jobs
from fernn.provenance.digests import identity, now
from fernn.provenance.environment import environment
from fernn.provenance.equivalence import representative
from fernn.provenance.records import Record, write_record


@dataclass
class Task:
    """A job in the making.

    Attributes:
        job: what is made.
        lineage: see `Jobs.lineage`.
        files: digests of what it reads, by role and path, taken before it is read.
        started: in UTC.
        device: "cpu" or "cuda", where torch computes.
        environment: of the process that made it, if that is not this one.
        others: environments of other processes that computed a part of it.
        details: what only this stage has to tell.
    """

    job: Job
    lineage: str
    files: dict[str, dict[str, str]]
    started: str
    device: str | None = None
    environment: dict[str, Any] | None = None
    others: list[dict[str, Any]] = field(default_factory=list)
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def identity(self) -> str:
        """A digest of all that the bytes of the result depend on: the same by code that is known to be equivalent."""
        return identity([representative(self.lineage, self.device), self.files])

    def check(self, jobs: Jobs) -> None:
        """Make sure that what was read is still there; and that no old record speaks for what is written now.

        Raises:
            FernnError: if a file was changed since.
        """
        later = Audit(jobs).digests(self.job.read_files)
        for files in self.files.values():
            for name, digest in files.items():
                if later.get(name) != digest:
                    raise FernnError(f"{name} was changed while {self.job} read it: run this again.")
        self.job.record.unlink(missing_ok=True)


@contextmanager
def making(jobs: Jobs, job: Job, planned: str | None) -> Iterator[Task | None]:
    """Make a job's result inside; the record is written at the end. Gives None if the result is there already.

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
            lineage_there = found.record.lineage if found.record else "unknown"
            _set_aside(job, jobs.layout, lineage_there)
    for path in (*job.writes, job.record):
        remove_leftovers(path)
    task = Task(job, lineage, {role: audit.digests(paths) for role, paths in job.reads.items()}, now())
    yield task
    record = Record(
        stage=job.stage,
        name=job.name,
        scale=jobs.params.scale,
        inputs=job.inputs,
        job=job.digest,
        lineage=lineage,
        files=task.files,
        outputs=Audit(jobs).digests(job.writes),
        started=task.started,
        ended=now(),
        environment=task.environment or environment(task.device),
        others=task.others,
        details=task.details,
    )
    write_record(job.record, record)


def make_result(params: Params, layout: Layout, stage: str, name: str = "", planned: str | None = None) -> list[Path]:
    """Make stand-ins, a part of a data set, tables, figures or the report; returns the files, their record last.

    Safe to start twice, with other params, too: the second waits for the first.

    Args:
        params: of a scale.
        layout: where its files lie.
        stage: the command of `fernn`.
        name: of a part, such as "translation/test-V2T".
        planned: lineage of the only result that may be made, if given.

    Raises:
        FernnError: if there is no such part, the scale draws no stand-ins, or the job cannot be done (see `making`).
    """
    jobs = Jobs(params, layout)
    job = jobs.find(stage, name)
    with hold(layout.lock(str(job).replace(" ", "/")), say) as lock, making(jobs, job, planned) as task:
        if task:
            task.check(jobs)
            job.make()
            task.check(jobs)
            lock.check()
    return [*job.writes, job.record]


def _set_aside(job: Job, layout: Layout, lineage: str) -> None:
    """Move a trained run out of the way of another one: it took long, and its params may come back."""
    folder = layout.superseded(job.name, lineage)
    folder.mkdir(parents=True, exist_ok=True)
    for path in (*job.writes, job.record):
        if path.exists():
            path.replace(folder / path.name)
    say(f"{job}: the run that was there is kept as {folder}, until `fernn prune --scale {layout.scale}`")
