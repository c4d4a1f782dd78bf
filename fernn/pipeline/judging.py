"""`fernn claims`: the paper's claims, judged while runs are missing, or by an archive.

The tables stage writes the verdicts once all runs are there.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import chdir
from copy import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

from fernn.errors import FernnError, listed
from fernn.experiments import load_params
from fernn.experiments.experiment import Experiment
from fernn.files import sha256
from fernn.layout import Layout
from fernn.params import Params
from fernn.pipeline.audit import Audit, State
from fernn.pipeline.export.archive import METADATA, Entry, entries_of
from fernn.pipeline.jobs import Job, Jobs
from fernn.provenance.records import read_record
from fernn.results.claims.evidence import Evidence
from fernn.results.claims.judge import Judgement, judge
from fernn.results.selection import select


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

    The params and all results must be files that the archive's metadata list, with the same bytes. Whether today's
    code gives the same results is not asked; `fernn verify` says that. A run that was packed by force, since it was
    not up to date then, does not count.

    Args:
        folder: of the archive.
        scale: whose results it holds, if that is to be checked.

    Returns:
        The params, and the verdicts.

    Raises:
        FernnError: if it is no such folder, holds another scale, or a file is missing, not listed, or has other bytes
            than the metadata or its record state.
    """
    entries = entries_of(folder)
    if entries is None:
        raise FernnError(
            f"{folder}: no unpacked archive of `fernn export` (docs/archive.md). Without a folder, the results of this "
            "project are judged."
        )
    scales = sorted({Path(name).parts[1] for name in entries if name.startswith("results/")})
    if len(scales) != 1 or scale not in (None, *scales):
        raise FernnError(f"{folder}: expected results of {scale or 'one scale'}; found those of {scales or 'none'}.")
    _check(folder, entries)
    with chdir(folder):  # records name files from there
        params = load_params(Path("params.yaml"), scales[0])
        jobs = Jobs(params, Layout(scales[0]))
        experiments = _tolerant(jobs.experiments, "an archive comes without its data sets")
        return params, _judge(jobs, experiments, lambda job: _whole(folder, job, entries))


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


def _judge(jobs: Jobs, experiments: Sequence[Experiment[Any]], finished: Callable[[Job], bool]) -> list[Judgement]:
    selections = select(
        jobs.params,
        jobs.layout,
        experiments,
        lambda run: all(finished(jobs.find(stage, run.id)) for stage in ("train", "evaluate")),
    )
    return judge(jobs.params, jobs.layout, experiments, selections)


def _check(folder: Path, entries: Mapping[str, Entry]) -> None:
    """Compare params.yaml and all files under results/ with the metadata of their archive.

    Raises:
        FernnError: if the metadata do not list a file, or list other bytes.
    """
    # rglob does not enter linked folders; the link itself counts as a file that is not listed
    found = [path for path in (folder / "results").rglob("*") if path.is_symlink() or not path.is_dir()]
    names = ["params.yaml", *sorted(path.relative_to(folder).as_posix() for path in found)]
    if unlisted := [name for name in names if name not in entries]:
        raise FernnError(
            f"{folder}: {len(unlisted)} files are not listed in {METADATA}, so they are not part of the "
            f"archive:{listed(unlisted)}\nRemove them. To judge results that were made in this folder, run `fernn "
            "claims` there without naming a folder."
        )
    if changed := [name for name in names if not _same(folder / name, entries[name])]:
        raise FernnError(
            f"{folder}: {len(changed)} files do not have the size and sha256 that {METADATA} "
            f"lists:{listed(changed)}\nUnpack the archive again."
        )


def _same(path: Path, entry: Entry) -> bool:
    return path.is_file() and path.stat().st_size == entry.size and sha256(path) == entry.sha256


def _whole(folder: Path, job: Job, entries: Mapping[str, Entry]) -> bool:
    """Whether an archive, whose files were checked, has a result that was up to date; samples may be left out."""
    entry = entries.get(job.record.as_posix())
    if entry is None or entry.status or (record := read_record(job.record)) is None:
        return False
    for name in sorted({*record.outputs, *(path.as_posix() for path in job.writes)} & entries.keys()):
        if not Path(name).exists() or entries[name].sha256 != record.outputs.get(name):
            raise FernnError(
                f"{folder / name} is missing, or does not have the sha256 that its record states. Unpack the archive "
                "again."
            )
    return True
