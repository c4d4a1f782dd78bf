"""Which files go into an archive, and under which terms: a scale's results, and the project that made them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path

from fernn.errors import FernnError, listed
from fernn.experiment import Terms
from fernn.experiments import find_experiment
from fernn.layout import SAMPLES
from fernn.pipeline.audit import Audit, Audited, Status
from fernn.pipeline.jobs import Job, Jobs
from fernn.provenance.records import Record

# data sets can be rebuilt from their sources, and some may not be redistributed: only their records go in
RECORD_ONLY = ("standins", "dataset")
IMAGES = (".png", ".pdf", ".html")  # files that may show pictures of the data sets, besides samples
FILES = (
    "Snakefile",
    "equivalent.json",
    "dvc.yaml",
    "CITATION.cff",
    "LICENSE",
    "README.md",
    "Makefile",
    "pyproject.toml",
)
NEEDED = ("Snakefile", "CITATION.cff", "params.yaml")  # the metadata are made from them
TREES = ("fernn", "profiles", "requirements", "slurm", "workflow")  # needed to run the Snakefile again
MIT = Terms("https://spdx.org/licenses/MIT", "MIT License", "The code, and the results made by it; see LICENSE.")


@dataclass(frozen=True)
class Member:
    """A file of the archive.

    Attributes:
        name: its path in the archive, which is the one in the project's folder.
        source: its path here.
        sha256: of its bytes.
        size: in bytes.
        time: when it was made, in UTC; for files of the project, when the last result was.
        job: what wrote it; None for files of the project.
    """

    name: str
    source: Path
    sha256: str
    size: int
    time: str
    job: Job | None = None


@dataclass
class Contents:
    """Everything that an archive holds and describes.

    Attributes:
        jobs: of the scale.
        found: the result of each job.
        members: the files by name, sorted.
        faults: what is not up to date, one line for each result.
        without: names of files that were left out on request.
    """

    jobs: Jobs
    found: dict[Job, Audited]
    members: dict[str, Member] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    without: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        self._of_folders: dict[Path, Terms] = {}
        for job in self.jobs.of("dataset").values():
            if terms := find_experiment(job.name.partition("/")[0]).terms(self.jobs.params):
                made = self.jobs.makers(job)
                self._of_folders |= {path.parent: terms for path in job.read_files if path not in made}
        self._of_jobs: dict[Job, frozenset[Terms]] = {}

    @property
    def records(self) -> dict[Job, Record]:
        """The records that could be read."""
        return {job: found.record for job, found in self.found.items() if found.record}

    @property
    def ended(self) -> str:
        """When the last result was finished, in UTC."""
        return max(record.ended for record in self.records.values())

    def terms(self, job: Job) -> frozenset[Terms]:
        """The terms of the source data that a result was made from, directly or through other results."""
        if job not in self._of_jobs:
            makers = self.jobs.makers(job)
            sources = {terms for path in job.read_files if path not in makers and (terms := self.of_source(path))}
            self._of_jobs[job] = frozenset(sources.union(*map(self.terms, makers.values())))
        return self._of_jobs[job]

    def of_source(self, path: Path) -> Terms | None:
        """The terms of a file that no job makes; None if it is the project's."""
        return self._of_folders.get(path.parent)

    def shown(self, member: Member) -> list[Terms]:
        """The terms of source data that a file holds or may show; none for weights and numbers."""
        if member.job is None:
            return [terms] if (terms := self.of_source(member.source)) else []
        if member.source.name != SAMPLES and member.source.suffix not in IMAGES:
            return []
        return sorted(self.terms(member.job), key=lambda terms: terms.name)


def gather(jobs: Jobs, params_file: Path, force: bool = False, without: Sequence[str] = ()) -> Contents:
    """Find the files, and compare the results with their records; arguments and errors are those of `export`."""
    if needed := [name for name in NEEDED if _left_out(name, without)]:
        raise FernnError(
            f"--without {' '.join(without)}: an archive cannot be without {', '.join(needed)}. Leave out others."
        )
    audit, base = Audit(jobs), jobs.layout.base
    contents = Contents(jobs, {job: audit.of(job) for job in jobs.all.values()}, without=tuple(without))
    results = [job for job in contents.found if job.stage not in RECORD_ONLY]
    if not contents.records or not any(path.exists() for job in results for path in job.writes):
        raise FernnError(
            f"{base} holds no results with records: there is nothing to export of scale {jobs.params.scale}. "
            f"Make them: snakemake --cores all --config scale={jobs.params.scale}, or bring them: dvc pull."
        )
    for job, found in contents.found.items():
        absent = job.stage in RECORD_ONLY and found.status is Status.MISSING  # it would not go in
        if found.status is not Status.CURRENT and not absent:
            contents.faults.append(f"{job} is {found.status.value}: {'; '.join(found.reasons)}")
    if contents.faults and not force:
        raise FernnError(
            f"{base}: {len(contents.faults)} of {len(contents.found)} results are not up to date:"
            f"{listed(contents.faults)}\n"
            f"Bring them up to date: snakemake --cores all --config scale={jobs.params.scale}. Or export them as they "
            "are with --force; the archive then says so."
        )
    members = [*_results(contents, audit), *_project(contents, params_file, audit)]
    kept = (member for member in members if not _left_out(Path(member.name).name, without))
    contents.members = {member.name: member for member in sorted(kept, key=lambda member: member.name)}
    return contents


def _left_out(name: str, without: Sequence[str]) -> bool:
    return any(fnmatch(name, pattern) for pattern in without)


def _results(contents: Contents, audit: Audit) -> Iterator[Member]:
    for job, found in contents.found.items():
        withheld = any(not terms.redistributable for terms in contents.terms(job))  # of the data, which samples hold
        written = () if job.stage in RECORD_ONLY else job.writes
        paths = [path for path in (*written, job.record) if path.exists() and not (withheld and path.name == SAMPLES)]
        time = found.record.ended if found.record else contents.ended
        for name, digest in audit.digests(tuple(paths)).items():
            yield Member(name, Path(name), digest, Path(name).stat().st_size, time, job)


def _project(contents: Contents, params_file: Path, audit: Audit) -> Iterator[Member]:
    jobs = contents.jobs
    carried = [path for path in jobs.sources() if jobs.carried(path)]  # without them it is another lineage
    notices = {notice for path in carried if (notice := path.parent / "README.md").exists()}
    names = (*FILES, *_tree_files(), *(path.as_posix() for path in (*carried, *notices)))
    for name, path in {"params.yaml": params_file, **{name: Path(name) for name in names}}.items():
        if not path.is_file():
            raise FernnError(
                f"{name}: no such file here, and the archive holds the workflow beside its results. Run this in the "
                "project's folder."
            )
        (digest,) = audit.digests((path,)).values()
        yield Member(name, path, digest, path.stat().st_size, contents.ended)


def _tree_files() -> Iterator[str]:
    for tree in TREES:
        if not Path(tree).is_dir():
            yield tree  # reported as missing
        for path in Path(tree).rglob("*"):
            if path.is_file() and not any(part.startswith((".", "__pycache__")) for part in path.parts):
                yield path.as_posix()
