"""`fernn claims`: the paper's claims, judged while runs are missing, or by an archive.

The tables stage writes the verdicts once all runs are there.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import chdir
from copy import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

from fernn.audit import Audit, State
from fernn.errors import FernnError
from fernn.experiments import load_params
from fernn.experiments.experiment import Experiment
from fernn.export.archive import members_of
from fernn.files import sha256
from fernn.jobs import Job, Jobs
from fernn.layout import Layout
from fernn.params import Params
from fernn.provenance.records import read_record
from fernn.results.claims.evidence import Evidence
from fernn.results.claims.judge import Judged, judge
from fernn.results.claims.judgement import Judgement
from fernn.results.reading.selection import select


def judge_claims(params: Params, layout: Layout) -> list[Judgement]:
    """Judge the paper's claims by the runs that are finished, of today's params and code; nothing is written.

    Raises:
        FernnError: if a file of claims, or of a finished run, is malformed.
    """
    jobs = Jobs(params, layout)
    audit = Audit(jobs)
    experiments = _tolerant(jobs.experiments, "what would tell more is not here")
    return _judge(jobs, experiments, lambda job: audit.of(job).state is State.DONE)


def judge_archive(folder: Path, scale: str | None = None) -> tuple[Params, list[Judgement]]:
    """Judge them by an archive of `fernn export`, unpacked into a folder: by its own params, as it was made.

    What has changed since is not asked; `fernn verify` says that. A run that was packed by force, since it was not up
    to date then, does not count.

    Args:
        folder: of the archive.
        scale: whose results it holds, if that is to be checked.

    Returns:
        The params, and the verdicts.

    Raises:
        FernnError: if it is no such folder, holds another scale, or a file is missing or not what its record tells.
    """
    held = members_of(folder)
    if held is None:
        raise FernnError(
            f"{folder}: no unpacked archive of `fernn export` (docs/archive.md). Without a folder, the results of this "
            "project are judged."
        )
    scales = sorted({Path(name).parts[1] for name in held if name.startswith("results/")})
    if len(scales) != 1 or scale not in (None, *scales):
        raise FernnError(f"{folder}: expected results of {scale or 'one scale'}; found those of {scales or 'none'}.")
    with chdir(folder):  # records name files from there
        params = load_params(Path("params.yaml"), scales[0])
        jobs = Jobs(params, Layout(scales[0]))
        experiments = _tolerant(jobs.experiments, "an archive comes without its data sets")
        return params, _judge(jobs, experiments, lambda job: _whole(folder, job, held))


def without_data(evidence: Evidence, why: str) -> Evidence:
    """Evidence by which no claim is judged where a data set that is not here would tell more; `why` it is not."""

    def barred(params: Params, layout: Layout) -> str:
        try:
            return evidence.barred(params, layout)
        except FernnError as error:
            return f"{why}: {str(error).partition('. ')[0]}"

    return replace(evidence, barred=barred)


def _tolerant(experiments: Sequence[Experiment[Any]], why: str) -> list[Experiment[Any]]:
    found = [*map(copy, experiments)]
    for each in found:
        each.evidence = without_data(each.evidence, why)
    return found


def _judge(jobs: Jobs, experiments: Sequence[Judged], finished: Callable[[Job], bool]) -> list[Judgement]:
    selections = select(
        jobs.params,
        jobs.layout,
        experiments,
        lambda run: all(finished(jobs.find(stage, run.id)) for stage in ("train", "evaluate")),
    )
    return judge(jobs.params, jobs.layout, experiments, selections)


def _whole(folder: Path, job: Job, held: Mapping[str, str]) -> bool:
    """Whether a result is in an archive, up to date; what that came without, such as samples, is not missed."""
    record = read_record(job.record)
    if record is None or any(held.get(name) for name in (*record.outputs, job.record.as_posix())):
        return False
    for name, digest in record.outputs.items():
        if name in held and not (Path(name).exists() and sha256(Path(name)) == digest):
            raise FernnError(f"{folder / name} is missing, or not what its record tells. Unpack the archive anew.")
    return True
