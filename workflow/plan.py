"""What Snakemake has to do: the records decide, and it is told in its own words.

Snakemake goes by times, and times mean nothing in a clone, after a pull, or once a file was touched. So a file that
will not be made again, since its record and those before it are of today, is `ancient` to whoever reads it: its time
does not count. A result that is not what params, code and data of today make gets one input more, which is newer than
it. What is missing Snakemake sees by itself, and what depends on a job that runs, too.
"""

import json
import logging
import os
import shutil
import sys
import time
from pathlib import Path

from snakemake.io import ancient
from snakemake.logging import logger

from fernn.audit import Audit, State
from fernn.errors import FernnError
from fernn.files import atomic, write_json
from fernn.jobs import Job, Jobs

FOLDER = Path(".snakemake/fernn")
NEWER = FOLDER / "not-of-today"  # an input of what is stale
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
        self._audit = Audit(jobs) if main else None
        self._planned: dict[str, str] = {}
        self._again = self._may_run() if main else []
        if main:
            logger.addFilter(KeepsRecords())
            FOLDER.mkdir(parents=True, exist_ok=True)
            self._refuse_damage()
            self._tell_stale()
            self._release()
        elif self._file.exists():
            self._planned = json.loads(self._file.read_text(encoding="utf-8"))

    def inputs(self, stage: str, name: str = "") -> list[str]:
        """The files that a job reads, as Snakemake is to take them."""
        job = self.jobs.find(stage, name)
        makers = self.jobs.makers(job)
        files = [
            str(path)
            if path in makers and (makers[path].stage, makers[path].name) in self._again
            else ancient(str(path))
            for path in job.reads
        ]
        return [*files, *([str(NEWER)] if self._state(job) is State.STALE else [])]

    def lineage(self, stage: str, name: str = "") -> str:
        """What a job is planned to make; one that finds other params or code than that refuses."""
        job = self.jobs.find(stage, name)
        return self._planned.get(str(job)) or self.jobs.lineage(job)

    def announce(self) -> None:
        """Tell it to the processes that run jobs."""
        write_json(self._file, {str(job): self.jobs.lineage(job) for job in self.jobs.all.values()})

    def _state(self, job: Job) -> State:
        return self._audit.of(job).state if self._audit else State.DONE

    def _refuse_damage(self) -> None:
        found = [self._audit.of(job) for job in self.jobs.all.values()] if self._audit else []
        damaged = [reason for each in found if each.state is State.DAMAGED for reason in each.reasons]
        if damaged:
            raise FernnError(
                f"files that are not what their jobs wrote: {len(damaged)}\n  " + "\n  ".join(damaged) + "\n"
                "They were damaged or changed by hand. Remove them: Snakemake makes them again. Or bring back what DVC "
                "keeps: dvc checkout --force; where its cache is damaged too, remove .dvc/cache first, then dvc pull."
            )

    def _tell_stale(self) -> None:
        stale = [job for job in self.jobs.all.values() if self._state(job) is State.STALE]
        if stale and self._audit:
            print(f"Not of today's params, code and files: {len(stale)} of {len(self.jobs.all)}", file=sys.stderr)
            for job in stale[:LISTED]:
                print(f"  {job}: {self._audit.of(job).reasons[0]}", file=sys.stderr)
            if len(stale) > LISTED:
                print(f"  ... and {len(stale) - LISTED} more; `fernn verify` names them", file=sys.stderr)

    def _may_run(self) -> list[tuple[str, str]]:
        """The jobs that are not done, and all that is made of them."""
        found: dict[tuple[str, str], None] = {}
        for key, job in self.jobs.all.items():  # what a job is made of stands before it
            before = {(maker.stage, maker.name) for maker in self.jobs.makers(job).values()}
            if self._state(job) is not State.DONE or found.keys() & before:
                found[key] = None
        return list(found)

    def _release(self) -> None:
        """Let Snakemake make again whatever it may have to.

        What is stale gets a time before that of its additional input; what is done and may have to follow, one after
        those of the files that it was made of. DVC's links are copied first: others use the cache too, and it is
        read-only, which Snakemake takes for a wish.
        """
        now = time.time() - len(self._again)
        for number, key in enumerate(self._again):
            when = OLD if self._state(self.jobs.all[key]) is State.STALE else now + number
            for path in (*self.jobs.all[key].writes, self.jobs.all[key].record):
                if not path.exists():
                    continue
                if path.is_symlink() or path.stat().st_nlink > 1 or not os.access(path, os.W_OK):
                    with atomic(path) as temporary:
                        shutil.copyfile(path, temporary)
                os.utime(path, (when, when))
        NEWER.touch()
        os.utime(NEWER, (OLD + 1, OLD + 1))
