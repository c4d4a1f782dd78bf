"""Which files go into an archive: a scale's results, held against their records, and the project that made them."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from fernn.errors import FernnError, listed
from fernn.pipeline.audit import Audit, Finding, State
from fernn.pipeline.export.terms import Origins
from fernn.pipeline.jobs import Job, Jobs
from fernn.provenance.records import Record

# data sets can be made again from their sources, and some hold what may not be passed on: only their records go in
RECORD_ONLY = ("standins", "dataset")
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
NEEDED = ("Snakefile", "CITATION.cff", "params.yaml")  # the description is made of them
TREES = ("fernn", "profiles", "requirements", "slurm", "workflow")  # what the Snakefile needs to run again


@dataclass(frozen=True)
class Member:
    """A file of the archive.

    Attributes:
        name: its path in the archive, which is the one in the project's folder.
        source: where it lies.
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


@dataclass(frozen=True)
class Contents:
    """All that an archive holds and tells.

    Attributes:
        jobs: of the scale.
        origins: what each of them is made of.
        findings: what there is of each job.
        members: the files by name, sorted.
        faults: what is not up to date, one line for each result.
        without: names of files that were left out by wish.
    """

    jobs: Jobs
    origins: Origins
    findings: dict[Job, Finding]
    members: dict[str, Member]
    faults: list[str]
    without: tuple[str, ...] = ()

    @property
    def records(self) -> dict[Job, Record]:
        """The records that could be read."""
        return {job: found.record for job, found in self.findings.items() if found.record}

    @property
    def started(self) -> str:
        """When the first result was begun, in UTC."""
        return min(record.started for record in self.records.values())

    @property
    def ended(self) -> str:
        """When the last result was done, in UTC."""
        return max(record.ended for record in self.records.values())


def gather(jobs: Jobs, params_file: Path, force: bool = False, without: Sequence[str] = ()) -> Contents:
    """Find the files, and hold the results against their records.

    Args:
        jobs: of the scale.
        params_file: the file that they were read from; in the archive it is params.yaml.
        force: take results that are not up to date as well.
        without: names of files to leave out, such as "samples.safetensors"; * stands for any part of a name.

    Raises:
        FernnError: if an archive cannot be without such a file; if there are no results, or (without `force`) some are
            missing, stale or damaged; if a file of the project is not here.
    """
    if needed := [name for name in NEEDED if _left_out(name, without)]:
        raise FernnError(
            f"--without {' '.join(without)}: an archive cannot be without {', '.join(needed)}. Leave out others."
        )
    audit, origins, base = Audit(jobs), Origins(jobs), jobs.layout.base
    findings = {job: audit.of(job) for job in jobs.all.values()}
    results = [job for job in findings if job.stage not in RECORD_ONLY]
    ends = [found.record.ended for found in findings.values() if found.record]
    if not ends or not any(path.exists() for job in results for path in job.writes):
        raise FernnError(
            f"{base} holds no results with records: there is nothing to export of scale {jobs.params.scale}. "
            f"Make them: snakemake --cores all --config scale={jobs.params.scale}, or bring them: dvc pull."
        )
    faults = [f"{job} is {found.state.value}: {'; '.join(found.reasons)}" for job, found in _faults(findings)]
    if faults and not force:
        raise FernnError(
            f"{base}: {len(faults)} of {len(findings)} results are not up to date:{listed(faults)}\n"
            f"Bring them up to date: snakemake --cores all --config scale={jobs.params.scale}. Or export them as they "
            "are with --force; the archive then says so."
        )
    found = [*_of_results(findings, audit, origins, max(ends)), *_of_project(jobs, params_file, audit, max(ends))]
    kept = [member for member in found if not _left_out(Path(member.name).name, without)]
    members = {member.name: member for member in sorted(kept, key=lambda member: member.name)}
    return Contents(jobs, origins, findings, members, faults, tuple(without))


def _left_out(name: str, without: Sequence[str]) -> bool:
    return any(fnmatch(name, pattern) for pattern in without)


def _faults(findings: dict[Job, Finding]) -> Iterator[tuple[Job, Finding]]:
    """What is not up to date; a data set need not be here, since it does not go in."""
    for job, found in findings.items():
        absent = job.stage in RECORD_ONLY and found.state is State.MISSING
        if found.state is not State.DONE and not absent:
            yield job, found


def _of_results(findings: dict[Job, Finding], audit: Audit, origins: Origins, last: str) -> Iterator[Member]:
    for job, found in findings.items():
        written = () if job.stage in RECORD_ONLY else job.writes
        files = [path for path in (*written, job.record) if path.exists() and not origins.withheld(job, path)]
        time = found.record.ended if found.record else last
        for name, digest in audit.digests(tuple(files)).items():
            yield Member(name, Path(name), digest, Path(name).stat().st_size, time, job)


def _of_project(jobs: Jobs, params_file: Path, audit: Audit, time: str) -> Iterator[Member]:
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
        yield Member(name, path, digest, path.stat().st_size, time)


def _tree_files() -> Iterable[str]:
    for tree in TREES:
        if not Path(tree).is_dir():
            yield tree  # is told of as missing
        for path in Path(tree).rglob("*"):
            if path.is_file() and not any(part.startswith((".", "__pycache__")) for part in path.parts):
                yield path.as_posix()
