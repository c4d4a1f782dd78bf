"""Whether results are what params, code and data of today make: each is compared with its record, which alone decides.

    done      the record is of today's lineage, or of one that is known to make the same bytes; files have its digests
    missing   the result is not here, or not whole
    stale     it was made of other params, code or files, or has no record
    damaged   it is of today's lineage, and its bytes are others

What a result was made of need not be here: a part that was pulled alone is done if its record says so.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from fernn.data.kth.archives import RECORD as FETCHED
from fernn.data.kth.archives import contents
from fernn.files import sha256
from fernn.pipeline.jobs import Job, Jobs
from fernn.provenance.digests import identity
from fernn.provenance.equivalence import representative
from fernn.provenance.records import DamagedRecordError, Record, read_record


class State(Enum):
    """Of a result."""

    DONE = "done"
    MISSING = "missing"
    STALE = "stale"
    DAMAGED = "damaged"


@dataclass(frozen=True)
class Finding:
    """The state of a result.

    Attributes:
        state: see `State`.
        reasons: why, one sentence each.
        record: of the result, where it has one.
        equivalent: whether other code made it, which is known to make the same bytes.
    """

    state: State
    reasons: tuple[str, ...] = ()
    record: Record | None = None
    equivalent: bool = False


class Audit:
    """Looks at each file and each result once; what changes later is not seen."""

    def __init__(self, jobs: Jobs) -> None:
        self.jobs = jobs
        self._digests: dict[Path, str] = {}
        self._found: dict[Job, Finding] = {}

    def of(self, job: Job) -> Finding:
        """What there is of a job."""
        if job not in self._found:
            self._found[job] = self._look(job)
        return self._found[job]

    def digests(self, paths: tuple[Path, ...]) -> dict[str, str]:
        """The digests of files that are here, by path."""
        return {path.as_posix(): self._digest(path) for path in paths if path.exists()}

    def problems(self, job: Job) -> dict[Path, str]:
        """Why a job may not start: what is wrong with the files that it reads."""
        makers = self.jobs.makers(job)
        wrong = {}
        for path in job.read_files:
            found = self.of(makers[path]) if path in makers else Finding(State.DONE)
            if not path.exists():
                wrong[path] = f"{path} is missing"
            elif found.state is not State.DONE:
                wrong[path] = f"{path} is {found.state.value}: {'; '.join(found.reasons)}"
            elif reason := self._unknown(path, self._digest(path)):
                wrong[path] = reason
        return wrong

    def _unknown(self, path: Path, digest: str) -> str:
        """Why a file is not the original that its name says; empty if it is, or if no digest is known."""
        known = self.jobs.known(path)
        if known is None or known == digest:
            return ""
        return f"{path} is not the original: sha256 {digest[:12]}..., expected {known[:12]}...; remove it and fetch it"

    def _look(self, job: Job) -> Finding:
        try:
            record = read_record(job.record)
        except DamagedRecordError as error:
            return Finding(State.DAMAGED, (str(error),))
        if record is None:
            left = tuple(f"no record says where {path} comes from" for path in job.writes if path.exists())
            return Finding(State.STALE, left) if left else Finding(State.MISSING, (f"{job.record} is missing",))
        if stale := [*self._otherwise(job, record)]:
            return Finding(State.STALE, tuple(stale), record)
        if damaged := [*self._changed(record.outputs, "written")]:
            return Finding(State.DAMAGED, tuple(damaged), record)
        missing = tuple(f"{name} is missing" for name in record.outputs if not Path(name).exists())
        equivalent = record.lineage != self.jobs.lineage(job)
        return Finding(State.MISSING if missing else State.DONE, missing, record, equivalent)

    def _otherwise(self, job: Job, record: Record) -> Iterator[str]:
        """What the result was made of, or into, that differs from the job of today."""
        if (record.stage, record.name) != (job.stage, job.name):
            yield f"the record is of {record.stage} {record.name}"
            return
        lineage = self.jobs.lineage(job)
        known = representative(record.lineage, record.device) == representative(lineage, record.device)
        if not known:
            yield from self._reasons(job, record)
        elif record.lineage != lineage and any(self.of(each).state is State.STALE for each in self.jobs.before(job)):
            yield "it was made of results of other params or code"
        reads = {path.as_posix() for path in job.read_files}
        for what, then, now in (("reads", record.read_files, reads), ("writes", record.outputs, _names(job.writes))):
            for name in then.keys() ^ now:
                yield f"it {what} {name} {'no longer' if name in then else 'now'}"
        for name, digest in record.read_files.items():
            if reason := self._unknown(Path(name), digest):
                yield reason
        yield from self._changed({name: then for name, then in record.read_files.items() if name in reads}, "read")

    def _reasons(self, job: Job, record: Record) -> Iterator[str]:
        """Why the lineage of a record is not that of a job."""
        commit = (record.environment.get("commit") or {}).get("id")
        found = False
        for line in differences(record.inputs, job.inputs):
            see = f"; see git diff {commit[:12]} -- fernn" if commit and line.startswith("code ") else ""
            yield f"input {line}{see}"
            found = True
        for role, paths in job.reads.items():
            then, now = record.files.get(role, {}).keys(), _names(paths)
            if then != now and "" not in record.files:
                yield f"as {role} it read {_listed(then - now)} then, {_listed(now - then)} now"
                found = True
        if not found:
            yield "it was made of results of other params or code"

    def _changed(self, digests: dict[str, str], what: str) -> Iterator[str]:
        """The files whose bytes are others than then; of those that are here."""
        for name, then in digests.items():
            now = self._digest(Path(name)) if Path(name).exists() else then
            if now != then:
                yield f"{name} is not what was {what}: sha256 {then[:12]}... then, {now[:12]}... now"

    def _digest(self, path: Path) -> str:
        if path not in self._digests:
            # of what was fetched the contents count, not from where they came
            self._digests[path] = contents(path) if path.name == FETCHED else sha256(path)
        return self._digests[path]


def _names(paths: tuple[Path, ...]) -> set[str]:
    return {path.as_posix() for path in paths}


def _listed(names: set[str]) -> str:
    few = sorted(names)[:3]
    return ", ".join(few) + (f" and {len(names) - 3} more" if len(names) > 3 else "") or "nothing else"


def differences(then: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """Where two mappings of plain values differ, one line each."""
    before, after = dict(_leaves(then)), dict(_leaves(now))
    names = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    return [f"{name} {_shown(before, name)} then, {_shown(after, name)} now" for name in names]


def _leaves(values: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, dict) and value:
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _shown(values: dict[str, Any], name: str) -> str:
    if name not in values:
        return "not there"
    text = json.dumps(values[name])
    return text if len(text) < 200 else f"{text[:200]}... ({identity(values[name])})"
