"""Compare results with their records and with today's params, code and files.

The record alone decides: what a result was made from need not be here.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from fernn.experiments import experiments
from fernn.files import sha256
from fernn.pipeline.jobs import Job, Jobs
from fernn.provenance.lineages import representative
from fernn.provenance.records import CorruptRecordError, Record, identity, read_record


class Status(Enum):
    """The status of a result."""

    CURRENT = "up to date"  # its record has today's lineage, or an equivalent one, and its files have their digests
    MISSING = "missing"  # not here, or not complete
    OUTDATED = "outdated"  # made from other params, code or files, or without a record
    CORRUPT = "corrupt"  # of today's lineage, with other bytes


@dataclass(frozen=True)
class Audited:
    """The status of a result, the reasons (one sentence each), and its record if it has one.

    `equivalent`: other code made it, which is known to make the same bytes.
    """

    status: Status
    reasons: tuple[str, ...] = ()
    record: Record | None = None
    equivalent: bool = False


class Audit:
    """Reads each file and checks each result once; later changes are not noticed."""

    def __init__(self, jobs: Jobs) -> None:
        self.jobs = jobs
        self._content_digests = {
            name: digest for each in experiments().values() for name, digest in each.content_digests.items()
        }
        self._digests: dict[Path, str] = {}
        self._found: dict[Job, Audited] = {}

    def of(self, job: Job) -> Audited:
        """The status of a job's result."""
        if job not in self._found:
            self._found[job] = self._check(job)
        return self._found[job]

    def digest(self, path: Path) -> str:
        """The digest of a file: its sha256, or that of its content for some sources (`Experiment.content_digests`)."""
        if path not in self._digests:
            self._digests[path] = self._content_digests.get(path.name, sha256)(path)
        return self._digests[path]

    def digests(self, paths: Iterable[Path]) -> dict[str, str]:
        """The digests of files that are here, by path."""
        return {path.as_posix(): self.digest(path) for path in paths if path.exists()}

    def problems(self, job: Job) -> dict[Path, str]:
        """Why a job cannot start: what is wrong with the files that it reads."""
        makers = self.jobs.makers(job)
        wrong = {}
        for path in job.read_files:
            found = self.of(makers[path]) if path in makers else Audited(Status.CURRENT)
            if not path.exists():
                wrong[path] = f"{path} is missing"
            elif found.status is not Status.CURRENT and not (found.record and found.status is Status.MISSING):
                # of a result with a valid record another file may be missing, as in an archive without samples
                wrong[path] = f"{path} is {found.status.value}: {'; '.join(found.reasons)}"
            elif reason := self._not_original(path, self.digest(path)):
                wrong[path] = reason
        return wrong

    def _not_original(self, path: Path, digest: str) -> str:
        """Why a source is not the published one; empty if it is, or if no digest is known."""
        if (known := self.jobs.known(path) or digest) == digest:
            return ""
        return f"{path} is not the original: sha256 {digest[:12]}..., expected {known[:12]}...; remove it and fetch it"

    def _check(self, job: Job) -> Audited:
        try:
            record = read_record(job.record)
        except CorruptRecordError as error:
            return Audited(Status.CORRUPT, (str(error),))
        if record is None:
            stray = tuple(f"no record says where {path} comes from" for path in job.writes if path.exists())
            return Audited(Status.OUTDATED, stray) if stray else Audited(Status.MISSING, (f"{job.record} is missing",))
        if outdated := [*self._differences(job, record)]:
            return Audited(Status.OUTDATED, tuple(outdated), record)
        if corrupt := [*self._changed(record.outputs, "written")]:
            return Audited(Status.CORRUPT, tuple(corrupt), record)
        missing = tuple(f"{name} is missing" for name in record.outputs if not Path(name).exists())
        equivalent = record.lineage != self.jobs.lineage(job)
        return Audited(Status.MISSING if missing else Status.CURRENT, missing, record, equivalent)

    def _differences(self, job: Job, record: Record) -> Iterator[str]:
        if (record.stage, record.name) != (job.stage, job.name):
            yield f"the record is of {record.stage} {record.name}"
            return
        lineage = self.jobs.lineage(job)
        if representative(record.lineage, record.device) != representative(lineage, record.device):
            yield from self._why_another_lineage(job, record)
        elif record.lineage != lineage and any(
            self.of(each).status is Status.OUTDATED for each in self.jobs.before(job)
        ):
            yield "it was made of results of other params or code"
        reads = _names(job.read_files)
        for what, then, now in (("reads", record.read_files, reads), ("writes", record.outputs, _names(job.writes))):
            for name in then.keys() ^ now:
                yield f"it {what} {name} {'no longer' if name in then else 'now'}"
        for name, digest in record.read_files.items():
            if reason := self._not_original(Path(name), digest):
                yield reason
        yield from self._changed({name: then for name, then in record.read_files.items() if name in reads}, "read")

    def _why_another_lineage(self, job: Job, record: Record) -> list[str]:
        commit = (record.environment.get("commit") or {}).get("id")
        reasons = []
        for line in differences(record.inputs, job.inputs):
            see = f"; see git diff {commit[:12]} -- fernn" if commit and line.startswith("code ") else ""
            reasons.append(f"input {line}{see}")
        for role, paths in job.reads.items():
            then, now = record.files.get(role, {}).keys(), _names(paths)
            if then != now and "" not in record.files:
                reasons.append(f"as {role} it read {_listed(then - now)} then, {_listed(now - then)} now")
        return reasons or ["it was made of results of other params or code"]

    def _changed(self, digests: dict[str, str], what: str) -> Iterator[str]:
        for name, then in digests.items():
            now = self.digest(Path(name)) if Path(name).exists() else then
            if now != then:
                yield f"{name} is not what was {what}: sha256 {then[:12]}... then, {now[:12]}... now"


def _names(paths: tuple[Path, ...]) -> set[str]:
    return {path.as_posix() for path in paths}


def _listed(names: set[str]) -> str:
    few = sorted(names)[:3]
    return ", ".join(few) + (f" and {len(names) - 3} more" if len(names) > 3 else "") or "nothing else"


def differences(then: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """Where two mappings of plain values differ, one line each."""
    before, after = dict(leaves(then)), dict(leaves(now))
    names = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    return [f"{name} {_shown(before, name)} then, {_shown(after, name)} now" for name in names]


def leaves(values: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Nested values by their path, such as "packages.torch"."""
    for name, value in values.items():
        if isinstance(value, dict) and value:
            yield from leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _shown(values: dict[str, Any], name: str) -> str:
    if name not in values:
        return "not there"
    text = json.dumps(values[name])
    return text if len(text) < 200 else f"{text[:200]}... ({identity(values[name])})"
