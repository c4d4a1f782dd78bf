"""The stages of the pipeline over any experiment: control around the work, files in, files out, a record beside them.

Each stage goes the same way. It holds what it was asked to do against today's params and code, and every file that it
reads against the record of whoever made it; it leaves a result alone that is there already; it has the work done, which
lies in modules of its own, whose code stands in the record; and it writes the record last.
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fernn.audit import Audit, State
from fernn.errors import FernnError
from fernn.jobs import RELEASE, Job, Jobs, plan_of
from fernn.params import Params
from fernn.provenance.code import import_all
from fernn.provenance.digests import identity, now
from fernn.provenance.environment import environment
from fernn.provenance.records import Record, write_record
from fernn.runs import Layout, find_run

if TYPE_CHECKING:
    from fernn.data.kth.release import Release

SUPERSEDED = "superseded"  # folder of finished runs that made room for others of their name


@dataclass
class Task:
    """A job in the making.

    Attributes:
        job: what is made.
        lineage: see `Jobs.lineage`.
        files: digests of what it reads, taken before it is read.
        started: in UTC.
        device: "cpu" or "cuda", where torch computes.
        details: what only this stage has to tell.
    """

    job: Job
    lineage: str
    files: dict[str, str]
    started: str
    device: str | None = None
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def identity(self) -> str:
        """A digest of all that the bytes of the result depend on."""
        return identity([self.job.stage, self.job.name, self.job.inputs, self.files])

    def check(self, jobs: Jobs) -> None:
        """Make sure that what was read is still there; and that no old record speaks for what is written now.

        Raises:
            FernnError: if a file was changed since.
        """
        later = Audit(jobs).digests(self.job.reads)
        for name, digest in self.files.items():
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
        lines = list(problems.values())
        more = [f"... and {len(lines) - 10} more"] if len(lines) > 10 else []
        raise FernnError(
            f"{job} cannot start, since what it reads is not as it should be:\n  "
            + "\n  ".join([*lines[:10], *more])
            + f"\nThis makes it: snakemake --cores all --config scale={jobs.params.scale} {next(iter(problems))}"
        )
    found = audit.of(job)
    if found.state is State.DONE:
        print(
            f"{job}: there already, of the same params, code and files, says {job.record}. Remove the result to "
            "make it again.",
            file=sys.stderr,
        )
        yield None
        return
    if found.state is not State.MISSING:
        print(
            f"{job}: what is there is {found.state.value} and is made again: {'; '.join(found.reasons)}",
            file=sys.stderr,
        )
        if job.stage == "train" and found.state is State.STALE:
            _set_aside(
                job, jobs.layout.base / SUPERSEDED / job.name / (found.record.lineage if found.record else "unknown")
            )
    import_all(job.code)
    task = Task(job, lineage, audit.digests(job.reads), now())
    yield task
    record = Record(
        stage=job.stage,
        name=job.name,
        scale=jobs.params.scale,
        inputs=job.inputs,
        lineage=lineage,
        files=task.files,
        outputs=Audit(jobs).digests(job.writes),
        started=task.started,
        ended=now(),
        environment=environment(task.device),
        details=task.details,
    )
    write_record(job.record, record)


def _set_aside(job: Job, folder: Path) -> None:
    """Move a trained run out of the way of another one: it took long, and its params may come back."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in (*job.writes, job.record):
        if path.exists():
            path.replace(folder / path.name)
    print(f"{job}: the run that was there is kept as {folder}, until `fernn prune`", file=sys.stderr)


def draw_standins(params: Params, layout: Layout, planned: str | None = None) -> Path:
    """Draw the videos that stand in for KTH at this scale; returns the file of their digests.

    Raises:
        FernnError: if the scale uses the originals.
    """
    from fernn.data.standins.make import make_standins

    jobs = Jobs(params, layout)
    job, wanted = jobs.find("standins"), params.kth.source.stand_ins
    assert wanted is not None  # else there is no such job
    with making(jobs, job, planned) as task:
        if task:
            task.check(jobs)
            make_standins(layout.standins(), wanted.persons, wanted.scenarios, wanted.frames, wanted.seed)
    return job.writes[0]


def fetch_videos(params: Params, layout: Layout, from_folder: Path | None, accept: Sequence[str]) -> Path:
    """Bring the KTH archives; returns their record, which stands for a whole and checked set.

    At a scale with stand-ins these come by the same code, from a server on this machine that is there for that long.
    """
    from fernn.data.kth.fetched import RECORD
    from fernn.data.kth.fetching import fetch_kth, parse_accept
    from fernn.data.kth.release import OFFICIAL, read_release
    from fernn.data.progress import ShowProgress
    from fernn.data.standins.server import serve

    source = params.kth.source
    accepted = parse_accept([*(f"{file}={digest}" for file, digest in source.accept.items()), *accept])
    with ShowProgress() as progress:
        if source.stand_ins is None or from_folder is not None:
            fetch_kth(source.folder, source.bases, from_folder, accepted, OFFICIAL, progress)
        else:
            drawn = layout.standins() / RELEASE
            if not drawn.exists():
                raise FernnError(f"{drawn} is missing: `fernn standins --scale {params.scale}` draws the stand-ins.")
            release = read_release(drawn)
            if Path(source.folder).resolve().is_relative_to(layout.base.resolve()):
                _discard_others(Path(source.folder), release)
            with serve(layout.standins()) as base:
                fetch_kth(source.folder, [base], None, accepted, release, progress)
    return Path(source.folder) / RECORD


def _discard_others(folder: Path, release: "Release") -> None:
    """Remove the files of an earlier drawing: unlike originals, stand-ins may be drawn anew under the same names."""
    from fernn.data.digests import WrongFileError, verify

    for file, digests in release.digests.items():
        try:
            if (folder / file).exists():
                verify(folder / file, digests)
        except WrongFileError:
            (folder / file).unlink()


def make_dataset(params: Params, layout: Layout, name: str, planned: str | None = None) -> Path:
    """Make a part of a data set, such as "translation/test-V2T"; returns its file."""
    experiment, _, part = name.partition("/")
    plan, jobs = plan_of(experiment), Jobs(params, layout)
    job = jobs.find("dataset", name)
    with making(jobs, job, planned) as task:
        if task:
            task.check(jobs)
            plan.make(plan.dataset_inputs(params, part), plan.dataset_files(params, layout, part), job.writes[0])
            task.check(jobs)
    return job.writes[0]


def train_run(params: Params, layout: Layout, name: str, allow_cpu: bool, planned: str | None = None) -> Path:
    """Train a run and write model.safetensors, metrics.csv and record.json; returns the model's file.

    Safe to start twice: the second waits for the first, and finds the work done. The checkpoint stays until the run is
    evaluated: Snakemake removes the outputs of a job that it starts, as it does when it was killed and its successor
    does not know that a job of its predecessor went on.
    """
    from fernn.training.device import choose_device
    from fernn.training.gpus import one_gpu, visible_gpus
    from fernn.training.lock import hold
    from fernn.training.outcome import Workplace
    from fernn.training.pace import measured
    from fernn.training.progress import TrainingProgress

    run, jobs = find_run(params, name), Jobs(params, layout)
    plan, job, unfinished = plan_of(run.experiment), jobs.find("train", name), layout.unfinished(name)
    if not visible_gpus():
        choose_device(params.scale, allow_cpu)  # refuses at once, before anything is read
    with (
        TrainingProgress(name) as progress,
        hold(layout.lock(name), progress.tell) as lock,
        making(jobs, job, planned) as task,
    ):
        if task is None:
            return job.writes[0]

        def check() -> None:
            lock.check()
            task.check(jobs)

        with one_gpu(progress.tell), measured(progress, unfinished / "pace.json", task.identity) as pace:
            device = choose_device(params.scale, allow_cpu)
            place = Workplace(device, unfinished / "checkpoint.safetensors", task.identity, progress, check)
            files = plan.train_files(params, layout, run)
            best_epoch = plan.train(plan.train_inputs(params, run), files, place, job.writes)
        task.device = device.type
        task.details = {"best_epoch": best_epoch, "steps": pace["steps"], "seconds": pace["seconds"]}
    return job.writes[0]


def evaluate_run(params: Params, layout: Layout, name: str, planned: str | None = None) -> Path:
    """Evaluate a trained run and write evaluation.json, samples.safetensors and record.json; returns the first.

    The checkpoint of its training goes then. Like a training it is safe to start twice.
    """
    from fernn.evaluation.outcome import Workplace
    from fernn.training.checkpoint import discard
    from fernn.training.device import choose_device
    from fernn.training.gpus import one_gpu
    from fernn.training.lock import hold

    run, jobs = find_run(params, name), Jobs(params, layout)
    plan, job = plan_of(run.experiment), jobs.find("evaluate", name)

    def say(line: str) -> None:
        print(f"{name}: {line}", file=sys.stderr)

    with hold(layout.lock(name), say) as lock:
        with making(jobs, job, planned) as task:
            if task:

                def check() -> None:
                    lock.check()
                    task.check(jobs)

                with one_gpu(say):
                    device = choose_device(params.scale, allow_cpu=True)  # slow on a CPU, but never days
                    files = {**plan.evaluate_files(params, layout, run), "model": layout.run(name, "model.safetensors")}
                    place = Workplace(device, name, check)
                    plan.evaluate(plan.evaluate_inputs(params, run), files, place, job.writes)
                task.device = device.type
        discard(layout.unfinished(name))
    return job.writes[0]


def make_tables(params: Params, layout: Layout, planned: str | None = None) -> list[Path]:
    """Write the tables and their record; returns the files. See `fernn.results.tables.write_tables`."""
    from fernn.results.tables import write_tables

    return _results("tables", write_tables, params, layout, planned)


def make_figures(params: Params, layout: Layout, planned: str | None = None) -> list[Path]:
    """Draw the figures and write their record; returns the files. See `fernn.results.figures.write_figures`."""
    from fernn.results.figures import write_figures

    return _results("figures", write_figures, params, layout, planned)


def _results(
    kind: str,
    write: Callable[[Params, Layout], list[Path]],
    params: Params,
    layout: Layout,
    planned: str | None,
) -> list[Path]:
    jobs = Jobs(params, layout)
    job = jobs.find(kind)
    with making(jobs, job, planned) as task:
        if task:
            task.check(jobs)
            write(params, layout)
            task.check(jobs)
    return [*job.writes, job.record]
