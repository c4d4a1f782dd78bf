"""The jobs of a scale: what each depends on, reads and writes.

Whoever asks what a result is made of asks here: the stages themselves, Snakemake's rules, DVC's dependencies, `fernn
verify` and `fernn plan`.
"""

import importlib
import importlib.util
import json
import pkgutil
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any

import fernn.experiments
from fernn.errors import FernnError
from fernn.files import sha256
from fernn.params import Params
from fernn.provenance.code import PACKAGE, code_digest
from fernn.provenance.digests import identity
from fernn.provenance.records import NAME
from fernn.results.plan import figure_names, files_read, table_names
from fernn.runs import Layout, Run, all_runs, evaluations_of, experiment_params, find_run

RUN_FILES = ("model.safetensors", "metrics.csv")
EVALUATION_FILES = ("evaluation.json", "samples.safetensors")
RELEASE = "release.json"  # what the stand-ins are, written last


@dataclass(frozen=True, eq=False)
class Job:
    """One result of the pipeline.

    Attributes:
        stage: the command of `fernn` that makes it: standins, dataset, train, evaluate, tables or figures.
        name: of the run or the part; empty where there is one job of a stage.
        code: the module whose code, with all that it imports, decides the bytes of the result.
        inputs: everything else that does, besides the files, as plain values; and the digest of that code as "code".
        reads: the files that it is made of.
        writes: its files.
        record: the file that tells how it was made.
    """

    stage: str
    name: str
    code: str
    inputs: dict[str, Any]
    reads: tuple[Path, ...]
    writes: tuple[Path, ...]
    record: Path

    def __str__(self) -> str:
        """As on the command line."""
        return f"{self.stage} {self.name}".rstrip()


class Jobs:
    """All jobs of a scale, those that others are made of first."""

    def __init__(self, params: Params, layout: Layout) -> None:
        self.params, self.layout = params, layout
        self.runs = all_runs(params)
        self._lineages: dict[Job, str] = {}

    @cached_property
    def all(self) -> dict[tuple[str, str], Job]:
        """By stage and name."""
        made = [
            *([self._standins()] if self.params.kth.source.stand_ins and "kth" in self.params.experiments else []),
            *(self._dataset(name) for name in self._parts()),
            *(self._train(run) for run in self.runs.values()),
            *(self._evaluate(run) for run in self.runs.values()),
            *(self._results(kind) for kind in ("tables", "figures")),
        ]
        return {(job.stage, job.name): job for job in made}

    def of(self, stage: str) -> dict[str, Job]:
        """The jobs of a stage by name."""
        return {name: job for (of, name), job in self.all.items() if of == stage}

    def find(self, stage: str, name: str = "") -> Job:
        """A job, or a part of a data set that no run of the scale reads.

        Raises:
            FernnError: if params.yaml has no such run or part; the message lists those that come near.
        """
        if (stage, name) in self.all:
            return self.all[stage, name]
        if stage == "dataset":
            return self._dataset(name)
        if stage == "standins":
            raise FernnError(
                f"scale {self.params.scale} uses the KTH originals (kth.source.stand_ins is null): nothing to draw."
            )
        find_run(self.params, name)  # raises
        raise FernnError(f"{stage}: no such stage")

    def maker(self, path: Path) -> Job | None:
        """The job that makes a file, None for a source: a download, or a file of the repository."""
        return self._makers.get(path)

    def makers(self, job: Job) -> dict[Path, Job]:
        """The jobs that make what this one reads, by file."""
        return {path: maker for path in job.reads if (maker := self.maker(path))}

    def lineage(self, job: Job) -> str:
        """A digest of what this job and all before it depend on, known before any of them has run."""
        if job not in self._lineages:
            before = {self.lineage(maker) for maker in self.makers(job).values()}
            self._lineages[job] = identity([job.stage, job.name, job.inputs, sorted(before)])
        return self._lineages[job]

    def sources(self) -> list[Path]:
        """The files that data sets are made of and no job makes: fetched, or part of the repository."""
        return list(
            dict.fromkeys(path for job in self.of("dataset").values() for path in job.reads if not self.maker(path))
        )

    def carried(self, path: Path) -> bool:
        """Whether a source is part of the repository: its time is that of a checkout and means nothing."""
        return not self.params.mnist.sources and path.parent == Path(self.params.mnist.folder)

    @cached_property
    def _makers(self) -> dict[Path, Job]:
        return {path: job for job in self.all.values() for path in (*job.writes, job.record)}

    def _parts(self) -> list[str]:
        """The parts of data sets that the runs read, such as "translation/test-V2T"; what others are made of first."""
        read = [
            path
            for run in self.runs.values()
            for of in (plan_of(run.experiment).train_files, plan_of(run.experiment).evaluate_files)
            for path in of(self.params, self.layout, run).values()
        ]
        names = [f"{path.parent.name}/{path.stem}" for path in dict.fromkeys(read)]
        return sorted(names, key=lambda name: name.rpartition("/")[2] not in ("digits", "frames"))

    def _standins(self) -> Job:
        wanted, code = self.params.kth.source.stand_ins, "fernn.data.standins.make"
        folder = self.layout.standins()
        return _job("standins", "", code, wanted.model_dump() if wanted else {}, (), (folder / RELEASE,), folder / NAME)

    def _dataset(self, name: str) -> Job:
        experiment, _, part = name.partition("/")
        plan = plan_of(experiment)
        inputs = asdict(plan.dataset_inputs(self.params, part))
        reads = plan.dataset_files(self.params, self.layout, part).values()
        if carried := {path.as_posix(): sha256(path) for path in reads if self.carried(path) and path.exists()}:
            inputs["carried"] = carried  # DVC sees no more of them than this
        file, record = self.layout.dataset(experiment, part), self.layout.dataset_record(experiment, part)
        return _job("dataset", name, plan.dataset_code(part), inputs, reads, (file,), record)

    def _train(self, run: Run) -> Job:
        plan = plan_of(run.experiment)
        inputs = asdict(plan.train_inputs(self.params, run))
        reads = plan.train_files(self.params, self.layout, run).values()
        writes = (self.layout.run(run.id, name) for name in RUN_FILES)
        code = f"fernn.experiments.{run.experiment}.train"
        return _job("train", run.id, code, inputs, reads, writes, self.layout.run(run.id, NAME))

    def _evaluate(self, run: Run) -> Job:
        plan = plan_of(run.experiment)
        inputs = asdict(plan.evaluate_inputs(self.params, run))
        model = self.layout.run(run.id, RUN_FILES[0])
        reads = (*plan.evaluate_files(self.params, self.layout, run).values(), model)
        writes = (self.layout.evaluation(run.id, name) for name in EVALUATION_FILES)
        code = f"fernn.experiments.{run.experiment}.evaluate"
        return _job("evaluate", run.id, code, inputs, reads, writes, self.layout.evaluation(run.id, NAME))

    def _results(self, kind: str) -> Job:
        sections = [experiment_params(self.params, name) for name in self.params.experiments]
        inputs = {
            "scale": self.params.scale,
            # as lists, since rows and panels stand in this order
            "runs": [[run.id, evaluations_of(self.params, run)] for run in self.runs.values()],
            "models": [sorted(section.models) for section in sections],
            "sections": {
                name: section.model_dump(include={"data", "training"})
                for name, section in zip(self.params.experiments, sections, strict=True)
            },
            "paper": sha256(PACKAGE / "results" / "published.yaml"),
        }
        reads = files_read(self.params, self.layout, kind)
        if kind == "tables":
            writes = [*(self.layout.table(name) for name in table_names(self.params)), self.layout.metrics()]
            record = self.layout.table(NAME)
        else:
            writes = [self.layout.figure(name) for name in figure_names(self.params)]
            record = self.layout.figure(NAME)
        return _job(kind, "", f"fernn.results.{kind}", inputs, reads, writes, record)


def plan_of(experiment: str) -> ModuleType:
    """The plan of an experiment: what its stages depend on, and the stages.

    Raises:
        FernnError: if this version has no code for it.
    """
    try:
        return importlib.import_module(f"fernn.experiments.{experiment}.plan")
    except ModuleNotFoundError as error:
        if error.name is None or not error.name.startswith("fernn.experiments"):
            raise
        packages = (f"fernn.experiments.{module.name}" for module in pkgutil.iter_modules(fernn.experiments.__path__))
        known = [name.rpartition(".")[2] for name in packages if importlib.util.find_spec(f"{name}.plan")]
        raise FernnError(f"experiment {experiment!r}: this version can run {', '.join(sorted(known))}.") from None


def _job(
    stage: str,
    name: str,
    code: str,
    inputs: dict[str, Any],
    reads: Iterable[Path],
    writes: Iterable[Path],
    record: Path,
) -> Job:
    # as a record gives them back, so that the two can be compared
    plain = json.loads(json.dumps({**inputs, "code": code_digest(code)}))
    return Job(stage, name, code, plain, tuple(reads), tuple(writes), record)
