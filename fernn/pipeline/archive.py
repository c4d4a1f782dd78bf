"""The archive of `fernn export`: which files go in and under which terms, the zip file, and the list of its files."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from fnmatch import fnmatch
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote
from zipfile import ZIP_STORED, ZipFile, ZipInfo

from fernn.errors import FernnError, listed
from fernn.experiment import Terms
from fernn.experiments import find_experiment
from fernn.files import atomic, sha256
from fernn.layout import SAMPLES
from fernn.pipeline.audit import Audit, Audited, Status
from fernn.pipeline.jobs import Job, Jobs

METADATA = "ro-crate-metadata.json"
# data sets can be rebuilt from their sources, and some may not be redistributed: only their records go in
RECORD_ONLY = ("standins", "dataset")
IMAGES = (".png", ".pdf", ".html")  # files that may show pictures of the data sets, besides samples
FILES = (
    *("Snakefile", "equivalent.json", "dvc.yaml", "CITATION.cff", "LICENSE"),
    *("README.md", "Makefile", "pyproject.toml"),
)
NEEDED = ("Snakefile", "CITATION.cff", "params.yaml")  # the metadata are made from them
TREES = ("fernn", "profiles", "requirements", "slurm", "workflow")  # needed to run the Snakefile again
MIT = Terms("https://spdx.org/licenses/MIT", "MIT License", "The code, and the results made by it; see LICENSE.")


@dataclass(frozen=True)
class Member:
    """A file of the archive."""

    name: str  # its path in the archive, which is the one in the project's folder
    source: Path  # its path here
    sha256: str
    size: int  # in bytes
    time: str  # when it was made, in UTC; for files of the project, when the last result was
    job: Job | None = None  # what wrote it; None for files of the project


class Contents:
    """Everything that an archive holds and describes; `gather` adds the members."""

    def __init__(self, jobs: Jobs, without: Sequence[str]) -> None:
        self.jobs, self.without, self.audit = jobs, without, Audit(jobs)
        self.found = {job: self._found(job) for job in jobs.all.values()}
        self.records = {job: found.record for job, found in self.found.items() if found.record}
        self.faults = [  # one line for each result that is not up to date
            f"{job} is {found.status.value}: {'; '.join(found.reasons)}"
            for job, found in self.found.items()
            if found.status is not Status.CURRENT
            # a missing data set would not go in
            and not (job.stage in RECORD_ONLY and found.status is Status.MISSING)
        ]
        self.ended = max((record.ended for record in self.records.values()), default="")
        self.members: dict[str, Member] = {}  # by name, sorted
        self._of_folders: dict[Path, Terms] = {}
        for job in jobs.of("dataset").values():
            if terms := find_experiment(job.name.partition("/")[0]).terms(jobs.params):
                self._of_folders |= {path.parent: terms for path in job.read_files if path not in jobs.makers(job)}
        self._of_jobs: dict[Job, frozenset[Terms]] = {}

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

    def _found(self, job: Job) -> Audited:
        """Its status; a file that the archive leaves out may be missing here, too."""
        found = self.audit.of(job)
        if found.record and found.status is Status.MISSING:
            missing = [Path(name) for name in found.record.outputs if not Path(name).exists()]
            if all(_matches(path.name, self.without) for path in missing):
                return replace(found, status=Status.CURRENT, reasons=())
        return found


def _matches(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatch(name, pattern) for pattern in patterns)


def gather(jobs: Jobs, params_file: Path, force: bool = False, without: Sequence[str] = ()) -> Contents:
    """Find the files, and compare the results with their records; arguments and errors are those of `export`."""
    if needed := [name for name in NEEDED if _matches(name, without)]:
        raise FernnError(
            f"--without {' '.join(without)}: an archive cannot be without {', '.join(needed)}. Leave out others."
        )
    base, make = jobs.layout.base, f"snakemake --cores all --config scale={jobs.params.scale}"
    contents = Contents(jobs, without)
    results = [job for job in contents.found if job.stage not in RECORD_ONLY]
    if not contents.records or not any(path.exists() for job in results for path in job.writes):
        raise FernnError(f"{base} holds no results with records. Make them: {make}, or download them: dvc pull.")
    if contents.faults and not force:
        raise FernnError(
            f"{base}: {len(contents.faults)} of {len(contents.found)} results are not up to date:"
            f"{listed(contents.faults)}\nBring them up to date: {make}. Or export them as they are with --force; "
            "the archive then says so."
        )
    members = {member.name: member for member in (*_results(contents), *_project(contents, params_file))}
    contents.members = {name: members[name] for name in sorted(members) if not _matches(Path(name).name, without)}
    return contents


def _results(contents: Contents) -> Iterator[Member]:
    for job, found in contents.found.items():
        withheld = any(not terms.redistributable for terms in contents.terms(job))  # of the data, which samples hold
        written = () if job.stage in RECORD_ONLY else job.writes
        paths = tuple(path for path in (*written, job.record) if not (withheld and path.name == SAMPLES))
        time = found.record.ended if found.record else contents.ended
        for name, digest in contents.audit.digests(paths).items():
            yield Member(name, Path(name), digest, Path(name).stat().st_size, time, job)


def _project(contents: Contents, params_file: Path) -> Iterator[Member]:
    jobs = contents.jobs
    carried = [path for path in jobs.sources() if jobs.carried(path)]  # without them it is another lineage
    notices = {notice for path in carried if (notice := path.parent / "README.md").exists()}
    paths = [*map(Path, FILES), *_tree_files(), *carried, *notices]
    for name, path in {"params.yaml": params_file, **{path.as_posix(): path for path in paths}}.items():
        if not path.is_file():
            raise FernnError(
                f"{name}: no such file here. The archive also holds the workflow: run this in the project's folder."
            )
        yield Member(name, path, contents.audit.digest(path), path.stat().st_size, contents.ended)


def _tree_files() -> Iterator[Path]:
    for tree in map(Path, TREES):
        if not tree.is_dir():
            yield tree  # reported as missing
        for path in tree.rglob("*"):
            if path.is_file() and not any(part.startswith((".", "__pycache__")) for part in path.parts):
                yield path


def write_archive(path: Path, members: Iterable[Member], metadata: str, time: str) -> None:
    """Write the archive, completely or not at all; the same members give the same bytes.

    Nothing is compressed: compressed bytes differ between versions of zlib, and weights do not shrink. `metadata` is
    the text of ro-crate-metadata.json, and `time` its time in UTC.

    Raises:
        FernnError: if a file changed since its digest was taken.
    """
    with atomic(path) as temporary, ZipFile(temporary, "w", ZIP_STORED) as archive:
        archive.writestr(_entry(METADATA, time), metadata.encode())
        for member in members:
            executable = member.source.stat().st_mode & 0o100
            entry = _entry(member.name, member.time, 0o755 if executable else 0o644)
            entry.file_size = member.size  # decides whether the zip64 format is needed
            digest = hashlib.sha256()
            with open(member.source, "rb") as file, archive.open(entry, "w") as target:
                while part := file.read(1 << 20):
                    digest.update(part)
                    target.write(part)
            if digest.hexdigest() != member.sha256:
                raise FernnError(f"{member.source} changed while it was packed. Wait for what writes it; export again.")


def _entry(name: str, time: str, mode: int = 0o644) -> ZipInfo:
    entry = ZipInfo(name, datetime.fromisoformat(time).timetuple()[:6])
    entry.create_system = 3  # Unix, whatever system writes it
    entry.external_attr = (0o100000 | mode) << 16
    return entry


class ArchivedFile(NamedTuple):
    """A file as the metadata of an archive list it; `fault` is why it was not up to date when packed, or empty."""

    fault: str
    sha256: str
    size: int

    def is_same(self, path: Path) -> bool:
        """Whether a file has the size and sha256 that are listed."""
        return path.is_file() and path.stat().st_size == self.size and sha256(path) == self.sha256


def files_of(folder: Path) -> dict[str, ArchivedFile] | None:
    """The files that the metadata of an unpacked archive list, by name; None if the folder has no metadata.

    Raises:
        FernnError: if the metadata cannot be read.
    """
    path = folder / METADATA
    if not path.is_file():
        return None
    try:
        return {
            unquote(each["@id"]): ArchivedFile(
                str(each.get("creativeWorkStatus", "")), each["sha256"], int(each["contentSize"])
            )
            for each in json.loads(path.read_bytes())["@graph"]
            if "File" in each["@type"]
        }
    except (ValueError, KeyError, TypeError) as error:
        raise FernnError(f"{path}: no description of an archive ({error!r}). Unpack the archive again.") from None
