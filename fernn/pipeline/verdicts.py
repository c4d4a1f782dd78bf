"""`fernn claims`: judge the paper's claims while runs are missing, or by an archive; later the tables stage does."""

from collections.abc import Callable, Mapping
from contextlib import chdir
from copy import copy
from dataclasses import replace
from pathlib import Path

from fernn.errors import FernnError, listed
from fernn.experiments import load_params
from fernn.layout import Layout
from fernn.params import Params
from fernn.pipeline.archive import METADATA, ArchivedFile, files_of
from fernn.pipeline.audit import Audit, Status
from fernn.pipeline.jobs import Job, Jobs
from fernn.provenance.records import read_record
from fernn.results.claims.evidence import Evidence
from fernn.results.claims.judge import Judgement, judge
from fernn.results.selection import select


def judge_claims(params: Params, layout: Layout) -> list[Judgement]:
    """Judge the claims by the finished runs of today's params and code; nothing is written.

    Raises:
        FernnError: if a file of claims, or of a finished run, is malformed.
    """
    audit = Audit(Jobs(params, layout))
    return _judge(audit.jobs, "its data set is not here", lambda job: audit.of(job).status is Status.CURRENT)


def judge_archive(folder: Path, scale: str | None = None) -> tuple[Params, list[Judgement]]:
    """Judge the claims by an unpacked archive of `fernn export`; returns its own params and the verdicts.

    The params and all results must be files that the archive's metadata list, with the same bytes. Today's code is not
    compared here; `fernn verify` does that. A run that was outdated when it was packed does not count.

    Raises:
        FernnError: if it is no such folder, holds another scale than the one given, or a file is missing, not listed,
            or has other bytes than the metadata or its record state.
    """
    if (files := files_of(folder)) is None:
        raise FernnError(
            f"{folder}: no unpacked archive of `fernn export` (docs/archive.md). Without a folder, the results of this "
            "project are judged."
        )
    scales = sorted({Path(name).parts[1] for name in files if name.startswith("results/")})
    if len(scales) != 1 or scale not in (None, *scales):
        raise FernnError(f"{folder}: expected results of {scale or 'one scale'}; found those of {scales or 'none'}.")
    _check(folder, files)
    with chdir(folder):  # paths in records are relative to it
        params = load_params(Path("params.yaml"), scales[0])
        jobs = Jobs(params, Layout(scales[0]))
        return params, _judge(jobs, "an archive comes without its data sets", lambda job: _finished(folder, job, files))


def without_data(evidence: Evidence, why: str) -> Evidence:
    """Evidence that bars a claim, for the reason `why`, if the data set to judge it by is not here."""

    def barred(params: Params, layout: Layout) -> str:
        try:
            return evidence.barred(params, layout)
        except FernnError as error:
            return f"{why}: {str(error).partition('. ')[0]}"

    return replace(evidence, barred=barred)


def _judge(jobs: Jobs, why: str, finished: Callable[[Job], bool]) -> list[Judgement]:
    """Judge the claims by the runs whose training and evaluation are finished."""
    experiments = [copy(each) for each in jobs.experiments]
    for each in experiments:
        each.evidence = without_data(each.evidence, why)
    selections = select(
        jobs.params,
        jobs.layout,
        experiments,
        lambda run: all(finished(jobs.find(stage, run.id)) for stage in ("train", "evaluate")),
    )
    return judge(jobs.params, jobs.layout, experiments, selections)


def _check(folder: Path, files: Mapping[str, ArchivedFile]) -> None:
    """Compare params.yaml and all files under results/ with the metadata of their archive."""
    # rglob does not enter linked folders; the link itself counts as a file that is not listed
    found = [path for path in (folder / "results").rglob("*") if path.is_symlink() or not path.is_dir()]
    names = ["params.yaml", *sorted(path.relative_to(folder).as_posix() for path in found)]
    if unlisted := [name for name in names if name not in files]:
        raise FernnError(
            f"{folder}: {len(unlisted)} files are not listed in {METADATA}, so they are not part of the "
            f"archive:{listed(unlisted)}\nRemove them. To judge results that were made in this folder, run `fernn "
            "claims` there without naming a folder."
        )
    if changed := [name for name in names if not files[name].is_same(folder / name)]:
        raise FernnError(
            f"{folder}: {len(changed)} files do not have the size and sha256 that {METADATA} "
            f"lists:{listed(changed)}\nUnpack the archive again."
        )


def _finished(folder: Path, job: Job, files: Mapping[str, ArchivedFile]) -> bool:
    """Whether a checked archive holds a result that was up to date when packed; samples may be left out."""
    packed = files.get(job.record.as_posix())
    if packed is None or packed.fault or (record := read_record(job.record)) is None:
        return False
    for name in sorted({*record.outputs, *(path.as_posix() for path in job.writes)} & files.keys()):
        if not Path(name).exists() or files[name].sha256 != record.outputs.get(name):
            raise FernnError(
                f"{folder / name} is missing, or does not have the sha256 that its record states. Unpack the archive "
                "again."
            )
    return True
