"""What Snakemake has to do: the records decide, and it is told in its own words.

Snakemake goes by times, and times mean nothing in a clone, after a pull, or once a file was touched. So a file that
will not be made again, since its record and those before it are of today, is `ancient` to whoever reads it: its time
does not count. A result that is not what params, code and data of today make gets one input more, which is newer than
it. What is missing Snakemake sees by itself, and what depends on a job that runs, too.
"""

import json
import logging
import os
import re
import shutil
import sys
from pathlib import Path

from snakemake.io import ancient
from snakemake.logging import logger

from fernn.audit import Audit, Finding, State
from fernn.errors import FernnError
from fernn.files import atomic, write_json
from fernn.jobs import Job, Jobs

FOLDER = Path(".snakemake/fernn")
NEWER = FOLDER / "not-of-today"  # an input of what is stale
OLD = 86_400  # seconds; Snakemake takes 0 for no time at all
LISTED = 10
BRIEF = 80  # characters of a reason; `fernn verify` tells all of it


def is_shown(record: logging.LogRecord) -> bool:
    """Leaves out Snakemake's remark that it has no records of its own: ours decide."""
    return re.search("missing (provenance/)?metadata", record.getMessage()) is None


class Plan:
    """What is to be done at a scale.

    The process that a person started looks at all results; one that runs a job of its own, on a node of a cluster say,
    takes over what that one planned.
    """

    def __init__(self, jobs: Jobs, main: bool) -> None:
        """Look at all results.

        Raises:
            FernnError: naming the results whose bytes are not those that their jobs wrote.
        """
        self.jobs = jobs
        self._file = FOLDER / f"{jobs.params.scale}.json"
        self._again: dict[Job, Finding] = {}  # what is not done, or made of what is not
        self._planned: dict[str, str] = {}
        if main:
            logger.addFilter(is_shown)
            audit = Audit(jobs)
            found = {job: audit.of(job) for job in jobs.all.values()}
            _refuse_damage(found)
            _tell_stale(found, jobs.layout.base)
            for job, finding in found.items():  # what a job is made of stands before it
                if finding.state is not State.DONE or self._again.keys() & set(jobs.makers(job).values()):
                    self._again[job] = finding
            _release(self._again)
        elif self._file.exists():
            self._planned = json.loads(self._file.read_text(encoding="utf-8"))

    def inputs(self, stage: str, name: str = "") -> list[str]:
        """The files that a job reads, as Snakemake is to take them."""
        job = self.jobs.find(stage, name)
        makers = self.jobs.makers(job)
        files = [str(path) if makers.get(path) in self._again else ancient(str(path)) for path in job.read_files]
        stale = job in self._again and self._again[job].state is State.STALE
        return [*files, *([str(NEWER)] if stale else [])]

    def lineage(self, stage: str, name: str = "") -> str:
        """What a job is planned to make; one that finds other params or code than that refuses."""
        job = self.jobs.find(stage, name)
        return self._planned.get(str(job)) or self.jobs.lineage(job)

    def why(self, stage: str, wildcards: dict[str, str]) -> str | None:
        """Why a job has to be done, in a few words; None where no record decides, as with downloads."""
        name = wildcards.get("run") or "/".join(wildcards.values())
        job = self.jobs.all.get((stage, name))
        if job is None or job not in self._again:
            return None
        finding = self._again[job]
        if finding.state is State.DONE:
            return "made of what is made again"
        return _briefly(finding.reasons[0]) if finding.state is State.STALE else finding.state.value

    def announce(self) -> None:
        """Tell it to the processes that run jobs."""
        write_json(self._file, {str(job): self.jobs.lineage(job) for job in self.jobs.all.values()})


def _refuse_damage(found: dict[Job, Finding]) -> None:
    damaged = [reason for each in found.values() if each.state is State.DAMAGED for reason in each.reasons]
    if damaged:
        raise FernnError(
            f"files that are not what their jobs wrote: {len(damaged)}\n  " + "\n  ".join(damaged) + "\n"
            "They were damaged or changed by hand. Remove them: Snakemake makes them again. Or bring back what DVC "
            "keeps: dvc checkout --force; where its cache is damaged too, remove .dvc/cache first, then dvc pull."
        )


def _tell_stale(found: dict[Job, Finding], base: Path) -> None:
    stale = [f"  {job}: {_briefly(each.reasons[0])}" for job, each in found.items() if each.state is State.STALE]
    if stale:
        more = (
            [f"  ... and {len(stale) - LISTED} more; `fernn verify {base}` names them"] if len(stale) > LISTED else []
        )
        lines = [f"Not of today's params, code and files: {len(stale)} of {len(found)}", *stale[:LISTED], *more]
        print("\n".join(lines), file=sys.stderr)


def _briefly(reason: str) -> str:
    """A reason that fits a line: values that are too long for it, such as a list of all runs, are left out."""
    return (
        reason if len(reason) <= BRIEF else re.sub(r"^(input \S+) .*", r"\1 changed", reason, flags=re.DOTALL)[:BRIEF]
    )


def _release(again: dict[Job, Finding]) -> None:
    """Let Snakemake make files again: stale ones are older than the additional input, others newer than what they read.

    DVC's links are copied first: others use the cache too, and it is read-only, which Snakemake takes for a wish.
    """
    for number, (job, finding) in enumerate(again.items(), OLD + 2):
        for path in (path for path in (*job.writes, job.record) if path.exists()):
            if path.is_symlink() or path.stat().st_nlink > 1 or not os.access(path, os.W_OK):
                with atomic(path) as temporary:
                    shutil.copyfile(path, temporary)
            when = OLD if finding.state is State.STALE else number
            os.utime(path, (when, when))
    FOLDER.mkdir(parents=True, exist_ok=True)
    NEWER.touch()
    os.utime(NEWER, (OLD + 1, OLD + 1))
