"""What Snakemake has to do: the records decide, and it is told in its own words.

Snakemake goes by times, and times mean nothing in a clone, after a pull, or once a file was touched. So the files that
a job reads are `ancient` to it: their times do not count. A result that is not what params, code and data of today
make, or is made of one that is not, gets one input more, which is newer than it.
"""

import json
import logging
import os
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
NEWER = FOLDER / "not-of-today"  # an input of what is made again
OLD = 86_400  # seconds; Snakemake takes 0 for no time at all
LISTED = 10


class KeepsRecords(logging.Filter):
    """Leaves out Snakemake's remark that it has no records of its own: ours decide."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether a line is shown."""
        said = record.getMessage()
        return "missing provenance/metadata" not in said and "missing metadata" not in said


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
        self._again: set[Job] = set()
        self._planned: dict[str, str] = {}
        if main:
            logger.addFilter(KeepsRecords())
            audit = Audit(jobs)
            found = {job: audit.of(job) for job in jobs.all.values()}
            _refuse_damage(found)
            _tell_stale(found)
            for job, finding in found.items():  # what a job is made of stands before it
                if finding.state is not State.DONE or self._again & set(jobs.makers(job).values()):
                    self._again.add(job)
            _release([path for job in self._again for path in (*job.writes, job.record) if path.exists()])
        elif self._file.exists():
            self._planned = json.loads(self._file.read_text(encoding="utf-8"))

    def inputs(self, stage: str, name: str = "") -> list[str]:
        """The files that a job reads, as Snakemake is to take them."""
        job = self.jobs.find(stage, name)
        again = job in self._again and job.record.exists()  # what is missing, Snakemake sees by itself
        return [*(ancient(str(path)) for path in job.reads), *([str(NEWER)] if again else [])]

    def lineage(self, stage: str, name: str = "") -> str:
        """What a job is planned to make; one that finds other params or code than that refuses."""
        job = self.jobs.find(stage, name)
        return self._planned.get(str(job)) or self.jobs.lineage(job)

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


def _tell_stale(found: dict[Job, Finding]) -> None:
    stale = [f"  {job}: {each.reasons[0]}" for job, each in found.items() if each.state is State.STALE]
    if stale:
        more = [f"  ... and {len(stale) - LISTED} more; `fernn verify` names them"] if len(stale) > LISTED else []
        lines = [f"Not of today's params, code and files: {len(stale)} of {len(found)}", *stale[:LISTED], *more]
        print("\n".join(lines), file=sys.stderr)


def _release(paths: list[Path]) -> None:
    """Let Snakemake make files again: they are older than the additional input.

    DVC's links are copied first: others use the cache too, and it is read-only, which Snakemake takes for a wish.
    """
    FOLDER.mkdir(parents=True, exist_ok=True)
    for path in paths:
        if path.is_symlink() or path.stat().st_nlink > 1 or not os.access(path, os.W_OK):
            with atomic(path) as temporary:
                shutil.copyfile(path, temporary)
        os.utime(path, (OLD, OLD))
    NEWER.touch()
    os.utime(NEWER, (OLD + 1, OLD + 1))
