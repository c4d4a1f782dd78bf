"""The jobs of a scale: what each depends on, reads and writes. Stages, Snakemake's rules and DVC follow this list."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from fernn.data.mnist import FILES as MNIST
from fernn.errors import FernnError
from fernn.experiment import Work
from fernn.experiments import find_experiment
from fernn.files import sha256, write_json
from fernn.layout import EVALUATION, KEPT, METRICS, MODEL, RECORD, RELEASE, SAMPLES, SUPERSEDED, Layout
from fernn.params import Params
from fernn.provenance.code import code_digest
from fernn.provenance.lineages import representative
from fernn.provenance.records import identity
from fernn.results import figures, tables
from fernn.results.claims.claim import PAPER
from fernn.results.report import page as report
from fernn.results.selection import select
from fernn.results.tables import table_names, tables_of, tabulated_models
from fernn.runs import Run, all_runs, evaluations_of, find_run


@dataclass(frozen=True, eq=False)
class Job:
    """One result of the pipeline.

    Attributes:
        stage: the command of `fernn` that makes it: standins, dataset, train, evaluate, tables, figures or report.
        name: of the run or the part; empty where there is one job of a stage.
        roots: the functions and modules whose code, with all that they import, decides the bytes of the result.
        values: returns the plain values that decide them too. A function, since those of the report are the digests
            of nearly all code.
        reads: the files that it is made of, by the role that each plays.
        writes: its files.
        record: its record.
        make: makes it; for a training or an evaluation, from its context and the files to write.
    """

    stage: str
    name: str
    roots: tuple[str, ...]
    values: Callable[[], dict[str, Any]]
    reads: Mapping[str, tuple[Path, ...]]
    writes: tuple[Path, ...]
    record: Path
    make: Callable[..., Any]

    @cached_property
    def inputs(self) -> dict[str, Any]:
        """The values, and the digest of the code as "code"; as JSON returns them, to compare with those of records."""
        plain: dict[str, Any] = json.loads(json.dumps({**self.values(), "code": code_digest(*self.roots)}))
        return plain

    @cached_property
    def digest(self) -> str:
        """A digest of the inputs and of the files by role, which are decided by code that is in no digest."""
        reads = {role: [path.as_posix() for path in paths] for role, paths in self.reads.items()}
        return identity([self.stage, self.name, self.inputs, reads, [path.as_posix() for path in self.writes]])

    @property
    def read_files(self) -> tuple[Path, ...]:
        """The files that it is made of."""
        return tuple(path for paths in self.reads.values() for path in paths)

    def __str__(self) -> str:
        """As on the command line."""
        return f"{self.stage} {self.name}".rstrip()


class Jobs:
    """All jobs of a scale, those that others are made of first."""

    def __init__(self, params: Params, layout: Layout) -> None:
        self.params, self.layout = params, layout
        self.runs = all_runs(params)
        self.experiments = [find_experiment(name) for name in params.experiments]
        self._lineages: dict[Job, str] = {}

    @cached_property
    def all(self) -> dict[tuple[str, str], Job]:
        """By stage and name."""
        shown = [self._tables(), self._figures()]
        trained = [self._train(run) for run in self.runs.values()]
        evaluated = [self._evaluate(run) for run in self.runs.values()]
        datasets = self._datasets([*trained, *evaluated, *shown])
        made = [*self._standins(), *datasets, *trained, *evaluated, *shown]
        return {(job.stage, job.name): job for job in [*made, self._report(made)]}

    def of(self, stage: str) -> dict[str, Job]:
        """The jobs of a stage by name."""
        return {name: job for (of, name), job in self.all.items() if of == stage}

    def find(self, stage: str, name: str = "") -> Job:
        """A job, or a part of a data set that no run of the scale reads.

        Raises:
            FernnError: if params.yaml has no such run or part; the message lists similar ones.
        """
        if (stage, name) in self.all:
            return self.all[stage, name]
        if stage == "dataset":
            return self._dataset(name)
        if stage == "standins":
            raise FernnError(f"scale {self.params.scale} has no stand-ins (source.stand_ins is null): nothing to draw.")
        find_run(self.params, name)  # raises
        raise FernnError(f"{stage}: no such stage")

    def maker(self, path: Path) -> Job | None:
        """The job that makes a file, None for a source: a download, or a file of the repository."""
        if path not in self._makers and (part := self.layout.part(path)):
            self._makers[path] = self._dataset(part)  # no run of the scale reads it, but another such part does
        return self._makers.get(path)

    def makers(self, job: Job) -> dict[Path, Job]:
        """The jobs that make what this one reads, by file."""
        return {path: maker for path in job.read_files if (maker := self.maker(path))}

    def before(self, job: Job) -> list[Job]:
        """The jobs whose results this one reads."""
        return list(dict.fromkeys(self.makers(job).values()))

    def lineage(self, job: Job) -> str:
        """A digest of all that this job and those before it depend on, known before any of them has run."""
        if job not in self._lineages:
            self._lineages[job] = identity([job.digest, sorted(self.lineage(maker) for maker in self.before(job))])
        return self._lineages[job]

    def sources(self) -> list[Path]:
        """The files that data sets are made of and no job makes: fetched, or part of the repository."""
        read = dict.fromkeys(path for job in self.of("dataset").values() for path in job.read_files)
        return [path for path in read if not self.maker(path)]

    def known(self, path: Path) -> str | None:
        """The sha256 that a source must have; None if none is known, as for a user's own digits."""
        if self.params.mnist.sources and path.parent == Path(self.params.mnist.folder) and path.name in MNIST:
            return MNIST[path.name].sha256.value
        return None

    def carried(self, path: Path) -> bool:
        """Whether a source is part of the repository."""
        return not self.params.mnist.sources and path.parent == Path(self.params.mnist.folder)

    @cached_property
    def _makers(self) -> dict[Path, Job]:
        return {path: job for job in self.all.values() for path in (*job.writes, job.record)}

    def _standins(self) -> list[Job]:
        """One job at most, of the first experiment that stand-ins are drawn for."""
        for experiment in self.experiments:
            if work := experiment.stand_ins(self.params):
                folder = self.layout.standins(experiment.name)
                files = [folder / RELEASE, folder / RECORD]
                return [self._of_work("standins", "", work, files, partial(work.function, folder))]
        return []

    def _datasets(self, readers: list[Job]) -> list[Job]:
        """The parts of data sets that these read; those that others are made of first."""
        names = dict.fromkeys(self.layout.part(path) for job in readers for path in job.read_files)
        found = [self._dataset(name) for name in names if name]
        made = {path for job in found for path in job.writes}
        return sorted(found, key=lambda job: not made.isdisjoint(job.read_files))

    def _dataset(self, name: str) -> Job:
        experiment, _, part = name.partition("/")
        work = find_experiment(experiment).dataset(self.params, self.layout, part)
        files = [self.layout.dataset(experiment, part), self.layout.dataset_record(experiment, part)]
        # files of the repository are no inputs of DVC's stages; only these digests tell it of a change
        carried = {path.as_posix(): sha256(path) for path in work.files.values() if self.carried(path) if path.exists()}
        return self._of_work("dataset", name, work, files, partial(work.do, files[0]), carried)

    def _train(self, run: Run) -> Job:
        work = find_experiment(run.experiment).training(self.params, self.layout, run)
        files = [self.layout.run(run.id, name) for name in (MODEL, METRICS, RECORD)]
        return self._of_work("train", run.id, work, files, work.do)

    def _evaluate(self, run: Run) -> Job:
        work = find_experiment(run.experiment).evaluation(self.params, self.layout, run)
        files = [self.layout.evaluation(run.id, name) for name in (EVALUATION, SAMPLES, RECORD)]
        return self._of_work("evaluate", run.id, work, files, work.do)

    def _of_work(
        self, stage: str, name: str, work: Work, files: list[Path], make: Callable[..., Any], carried: Any = None
    ) -> Job:
        """A job of an experiment; its record is the last of `files`."""
        values = {**work.plain, "carried": carried} if carried else work.plain
        reads = {role: (path,) for role, path in work.files.items()}
        return Job(stage, name, work.roots, lambda: values, reads, tuple(files[:-1]), files[-1], make)

    def _tables(self) -> Job:
        of = tables_of(self.params, self.experiments)
        evidence = [each.evidence for each in self.experiments]
        modules = {*(table.about.__module__ for table in of), *(each.code for each in evidence)}
        roots = (tables.__name__, *sorted(modules))
        claims = sorted({PAPER, *(each.claims for each in evidence)})
        inputs = {**self._shown(), "claims": [sha256(path) for path in claims]}
        extra = [path for table, names in of.items() for path in table.reads(self.params, self.layout, names)]
        records = tuple(self.layout.run(run, RECORD) for run in self.runs)
        reads = {**self._of_runs(EVALUATION), RECORD: records, "others": tuple(dict.fromkeys(extra))}
        numbers = (self.layout.metrics(*model) for model in tabulated_models(self.params, self.experiments))
        writes = (*map(self.layout.table, table_names(self.params, self.experiments)), *numbers)
        make = partial(self._show, tables.write_tables)
        return Job("tables", "", roots, lambda: inputs, reads, writes, self.layout.table(RECORD), make)

    def _figures(self) -> Job:
        drawn = {kind.draw.__module__ for each in self.experiments for kind in each.figures}
        extra = [path for each in self.experiments for path in each.table.reads(self.params, self.layout, [each.name])]
        panels = figures.panels(self.params, self.experiments)
        extra += [path for panel in panels for path in panel.models(self.params, self.layout)]
        reads = {**self._of_runs(EVALUATION, SAMPLES), "others": tuple(dict.fromkeys(extra))}
        writes = tuple(self.layout.figure(name) for panel in panels for name in panel.names)
        roots, make = (figures.__name__, *sorted(drawn)), partial(self._show, figures.write_figures)
        return Job("figures", "", roots, self._shown, reads, writes, self.layout.figure(RECORD), make)

    def _report(self, made: list[Job]) -> Job:
        tables_job, figures_job = made[-2:]
        reads = {
            "tables": tables_job.writes,
            "figures": tuple(path for path in figures_job.writes if path.suffix == ".png"),
            RECORD: tuple(self.layout.run(run, RECORD) for run in self.runs),
        }

        def inputs() -> dict[str, Any]:
            names = [table.name for table in tables_of(self.params, self.experiments)]
            datasets = {job.name: job.inputs for job in made if job.stage == "dataset"}
            panels = figures.panels(self.params, self.experiments)
            return report.report_inputs(self.params, self.experiments, panels, names, datasets)

        def make() -> None:
            report.write_report(self.layout, inputs())

        writes, record = (self.layout.report(),), self.layout.report_record()
        return Job("report", "", (report.__name__,), inputs, reads, writes, record, make)

    def _of_runs(self, *files: str) -> dict[str, tuple[Path, ...]]:
        evaluated = {file: tuple(self.layout.evaluation(run, file) for run in self.runs) for file in files}
        return {METRICS: tuple(self.layout.run(run, METRICS) for run in self.runs), **evaluated}

    def _shown(self) -> dict[str, Any]:
        sections = {each.name: each.section(self.params) for each in self.experiments}
        return {
            "scale": self.params.scale,
            # as lists, since rows and panels are in this order
            "runs": [[run.id, evaluations_of(self.params, run)] for run in self.runs.values()],
            "models": [sorted(section.models) for section in sections.values()],
            "criteria": [each.criterion.name for each in self.experiments],
            "sections": {name: section.model_dump(include={"data", "training"}) for name, section in sections.items()},
        }

    def _show(self, write: Callable[..., None]) -> None:
        write(self.params, self.layout, self.experiments, select(self.params, self.layout, self.experiments))


# --- the jobs as DVC sees them


def dependencies(jobs: Jobs) -> dict[str, Any]:
    """The lineages of the jobs of each stage by name. A change that no result depends on changes none of them."""

    def lineages(stage: str) -> dict[str, str]:
        return {name: representative(jobs.lineage(job), None) for name, job in jobs.of(stage).items()}

    return {
        "data": {"files": [path.as_posix() for path in jobs.sources()], "stand_ins": lineages("standins")},
        "datasets": lineages("dataset"),
        **{stage: lineages(stage) for stage in ("train", "evaluate", "tables", "figures", "report")},
    }


def write_dependencies(params: Params, layout: Layout) -> list[Path]:
    """Write the dependencies of each stage to a file that DVC watches; returns the files."""
    found = dependencies(Jobs(params, layout))
    for stage, values in found.items():
        write_json(layout.dependencies(stage), values)
    return [layout.dependencies(stage) for stage in found]


def left_behind(params: Params, layout: Layout) -> list[Path]:
    """Results that the params no longer name, such as runs of a dropped seed."""
    wanted = {path for job in Jobs(params, layout).all.values() for path in (*job.writes, job.record)}
    found = (path for folder in (*KEPT, SUPERSEDED) for path in sorted((layout.base / folder).rglob("*")))
    return [path for path in found if path.is_file() and path not in wanted]


def prune(params: Params, layout: Layout) -> list[Path]:
    """Remove what `left_behind` finds, and the folders that become empty; returns the files."""
    gone = left_behind(params, layout)
    for path in gone:
        path.unlink()
        for folder in path.parents:
            if folder == layout.base or any(folder.iterdir()):
                break
            folder.rmdir()
    return gone
