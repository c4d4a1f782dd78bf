"""What Snakemake has to do: the records decide.

Snakemake compares modification times, and these mean nothing in a clone, after a pull, or once a file was touched. So
the plan decides instead, by flags on the inputs of each job. No time, link or byte of a result changes.

- A file that will not be rebuilt is `ancient`: its time is ignored, and it triggers nothing.
- A file that may be rebuilt has the flag NEWER, set to False: its time is ignored, and the job runs if the job that
  writes the file does.
- A job with an outdated result gets one more input, EXTRA, with NEWER set to True: the job runs.

Snakemake itself notices a missing file, and runs all jobs that depend on a job that runs.
"""

import json
import logging
import re
import sys
from pathlib import Path

import snakemake
from snakemake.io import _IOFile, ancient, flag, get_flag_value
from snakemake.logging import logger

from fernn.errors import FernnError
from fernn.files import write_json
from fernn.pipeline.audit import Audit, Audited, Status
from fernn.pipeline.jobs import Job, Jobs

FOLDER = Path(".snakemake/fernn")
NEWER = "newer"  # flag of an input: whether it counts as newer than the outputs of the job, whatever the times are
# The extra input of outdated jobs, a file of Snakemake: it exists on the nodes of a cluster too, where a job waits for
# its inputs, and it is older than what a job writes, as Snakemake demands.
EXTRA = snakemake.__file__
LISTED = 10
BRIEF = 80  # characters of a reason; `fernn verify` tells all of it

_is_newer = _IOFile.is_newer


async def _newer(file: _IOFile, time: float) -> bool:
    """Whether an input is newer than `time`, that of the job's oldest output; the flag NEWER overrides the times."""
    planned = get_flag_value(file, NEWER)
    return await _is_newer(file, time) if planned is None else planned


async def _unprotected(_file: _IOFile) -> bool:
    """Whether Snakemake must not replace an output: never."""
    return False


# Snakemake has no setting for either of these two methods.
# An `ancient` file has no time, but then it does not trigger the jobs that read it when it is rebuilt.
_IOFile.is_newer = _newer
# It refuses to replace a file that the user may not write, as if a rule had declared it `protected()`. None does, but
# DVC's hard links are read-only, and so may be the files of another user. Replacing them leaves the cache alone:
# Snakemake unlinks the outputs of a job before it starts, and the commands write a new file and rename it.
_IOFile.protected = _unprotected


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
        self._again: dict[Job, Audited] = {}  # what is not done, or made of what is not
        self._planned: dict[str, str] = {}
        if main:
            logger.addFilter(is_shown)
            audit = Audit(jobs)
            found = {job: audit.of(job) for job in jobs.all.values()}
            _refuse_corrupt(found)
            _report_outdated(found, jobs.layout.base)
            for job, finding in found.items():  # what a job is made of stands before it
                if finding.status is not Status.CURRENT or self._again.keys() & set(jobs.makers(job).values()):
                    self._again[job] = finding
        elif self._file.exists():
            self._planned = json.loads(self._file.read_text(encoding="utf-8"))

    def inputs(self, stage: str, name: str = "") -> list[str]:
        """The files that a job reads, flagged for Snakemake as the module's docstring says."""
        job = self.jobs.find(stage, name)
        makers = self.jobs.makers(job)
        files = [
            flag(str(path), NEWER, False) if makers.get(path) in self._again else ancient(str(path))
            for path in job.read_files
        ]
        outdated = job in self._again and self._again[job].status is Status.OUTDATED
        return [*files, *([flag(EXTRA, NEWER, True)] if outdated else [])]

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
        if finding.status is Status.CURRENT:
            return "made of what is rebuilt"
        return _briefly(finding.reasons[0]) if finding.status is Status.OUTDATED else finding.status.value

    def announce(self) -> None:
        """Tell it to the processes that run jobs."""
        write_json(self._file, {str(job): self.jobs.lineage(job) for job in self.jobs.all.values()})


def _refuse_corrupt(found: dict[Job, Audited]) -> None:
    corrupt = [reason for each in found.values() if each.status is Status.CORRUPT for reason in each.reasons]
    if corrupt:
        raise FernnError(
            f"files that are not what their jobs wrote: {len(corrupt)}\n  " + "\n  ".join(corrupt) + "\n"
            "They are corrupt, or were changed by hand. Remove them: Snakemake rebuilds them. Or bring back what DVC "
            "keeps: dvc checkout --force; where its cache is corrupt too, remove .dvc/cache first, then dvc pull."
        )


def _report_outdated(found: dict[Job, Audited], base: Path) -> None:
    outdated = [
        f"  {job}: {_briefly(each.reasons[0])}" for job, each in found.items() if each.status is Status.OUTDATED
    ]
    if outdated:
        more = (
            [f"  ... and {len(outdated) - LISTED} more; `fernn verify {base}` names them"]
            if len(outdated) > LISTED
            else []
        )
        lines = [f"Outdated: {len(outdated)} of {len(found)}", *outdated[:LISTED], *more]
        if any(reason.startswith("input code ") for each in found.values() for reason in each.reasons):
            lines.append(f"If an edit of code changes no result, show it and keep them: fernn equivalent {base}")
        print("\n".join(lines), file=sys.stderr)


def _briefly(reason: str) -> str:
    """A reason that fits a line: values that are too long for it, such as a list of all runs, are left out."""
    return (
        reason if len(reason) <= BRIEF else re.sub(r"^(input \S+) .*", r"\1 changed", reason, flags=re.DOTALL)[:BRIEF]
    )
