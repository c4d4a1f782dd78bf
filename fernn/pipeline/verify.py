"""`fernn verify`: compare results with their records, and the records with the params, code and machine of today."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Set
from contextlib import chdir
from dataclasses import replace
from functools import cache
from itertools import chain
from pathlib import Path

from fernn.errors import FernnError
from fernn.experiments import load_params
from fernn.files import sha256
from fernn.layout import COST, RECORD, REPORT, SUPERSEDED, Layout
from fernn.pipeline.archive import files_of
from fernn.pipeline.audit import Audit, Audited, Status, differences
from fernn.pipeline.jobs import Jobs
from fernn.provenance.code import PACKAGE
from fernn.provenance.environment import environment
from fernn.provenance.records import CorruptRecordError, Record, read_record

# no result depends on these, or every stage sets them
SET = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "KMP_INIT_AT_FORK")
IGNORED = ("host", "commit.changed", "determinism.", "variables ", *(f"variables.{name}" for name in SET))
ROUNDING = ("determinism.instructions", 'determinism.rounding "')  # these decide how sums are rounded
LISTED = 5

Results = Iterator[tuple[str, Audited]]  # by name


def verify(results: list[Path], params_file: Path, again: bool = False) -> Results:
    """Check results of this project: files, or all results in folders, below results/<scale>.

    With `again` each is also rebuilt in a temporary folder, and the bytes are compared. FernnError if there is no such
    file or folder, no result there, or rebuilding one fails.
    """
    for result in results:
        found = _below(result, params_file, again)
        if (first := next(found, None)) is None:
            raise FernnError(
                f"{result}: no record says where this comes from. Results of the pipeline have one beside them; run "
                "this in the folder of params.yaml, with a path below that folder."
            )
        yield from chain([first], found)


def _below(result: Path, params_file: Path, again: bool) -> Results:
    if not result.exists():
        raise FernnError(f"{result}: no such file or folder. Name a result, such as results/quick/tables/table1.md.")
    path, root = Path(os.path.abspath(result)), Path.cwd() / "results"  # noqa: PTH100 (links stay)
    if root not in path.parents:
        return
    audit = _audit(params_file, path.relative_to(root).parts[0])
    for job in audit.jobs.all.values():
        if any(Path(os.path.abspath(each)).is_relative_to(path) for each in (*job.writes, job.record)):  # noqa: PTH100
            found = audit.of(job)
            if again and found.record and (wrong := [*_rebuild(found.record, params_file)]):
                status = Status.CORRUPT if found.status is Status.CURRENT else found.status
                found = replace(found, status=status, reasons=(*found.reasons, *wrong))
            yield str(job), found
    if result.is_dir():
        yield from _strays(result, audit.jobs, params_file)


def verify_archive(folder: Path, params_file: Path, again: bool = False) -> Results | None:
    """Check the results of an unpacked archive of `fernn export` by today's params and code, not the archive's.

    Files that were not packed, such as data sets, do not count as missing. None if the folder is no archive.

    Raises:
        FernnError: if its metadata cannot be read, or its results are to be rebuilt (`again`).
    """
    if (packed := files_of(folder)) is None:
        return None
    if again:
        raise FernnError(
            f"{folder}: an archive comes without its data sets, so none of its results can be rebuilt there. "
            "Rebuild them in a clone and compare the two: fernn compare."
        )
    return _of_archive(folder, params_file.absolute(), packed.keys())


def _of_archive(folder: Path, params_file: Path, packed: Set[str]) -> Results:
    with chdir(folder):  # paths in records are relative to it
        for base in sorted(path for path in Path("results").iterdir() if path.is_dir()):
            audit = _audit(params_file, base.name)
            for job in audit.jobs.all.values():
                found = audit.of(job)
                if found.status is Status.MISSING and found.record:
                    absent = [name for name in found.record.outputs if name in packed and not Path(name).exists()]
                    status = Status.MISSING if absent else Status.CURRENT
                    found = replace(found, status=status, reasons=tuple(f"{name} is missing" for name in absent))
                if found.record or job.record.as_posix() in packed:
                    yield str(job), found
            yield from _strays(base, audit.jobs, params_file)


def _audit(params_file: Path, scale: str) -> Audit:
    return Audit(Jobs(load_params(params_file, scale), Layout(scale)))


def _strays(folder: Path, jobs: Jobs, params_file: Path) -> Results:
    """Records below a folder, or what it links to, that belong to no job: of runs that the params no longer name.

    Superseded runs are checked only if `folder` itself is a folder of them.
    """
    known, seen = {job.record for job in jobs.all.values()}, set()
    for root, folders, files in os.walk(folder, followlinks=True):
        if (real := os.path.realpath(root)) in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if name != SUPERSEDED)
        for name in sorted(files):
            path = Path(root) / name
            if name.endswith(RECORD) and name[0] != "." and path not in known:
                yield _stray(path, jobs, params_file)


def _stray(path: Path, jobs: Jobs, params_file: Path) -> tuple[str, Audited]:
    try:
        record = read_record(path)
    except CorruptRecordError as error:
        return str(path), Audited(Status.CORRUPT, (str(error),))
    assert record is not None
    name = f"{record.stage} {record.name}".rstrip()
    if SUPERSEDED not in path.parts:
        known = (record.stage, record.name) in jobs.all
        reasons = [f"{path} is in the place of another result" if known else f"{params_file} does not name it"]
    else:
        files = {path.parent / Path(output).name: digest for output, digest in record.outputs.items()}
        changed = [file for file, digest in files.items() if not file.exists() or sha256(file) != digest]
        reasons = [f"{path.parent}: made by other params or code, and set aside"]
        reasons += [f"{file} is missing, or not what was written" for file in changed]
    return name, Audited(Status.OUTDATED, tuple(reasons))


def show(results: Results, say: Callable[[str], None]) -> bool:
    """Print what was found; returns whether all results that are here are up to date."""
    counts, machines, equivalent, absent = Counter[Status](), Counter[str](), 0, []
    for name, found in results:
        if found.status is Status.MISSING and found.record is None:
            absent.append(name)
            continue
        counts[found.status] += 1
        say(f"{found.status.value}: {name}")
        if found.status is Status.CURRENT:
            equivalent += found.equivalent
        else:
            for line in found.reasons:
                say(f"  {line}")
        if found.record:
            machines.update(_machine(found.record))
    for line, number in machines.items():
        say(f"Another machine or version ({number} of {counts.total()}): {line}")
    if absent:
        more = f" and {len(absent) - LISTED} more" if len(absent) > LISTED else ""
        say(f"Not here ({len(absent)}): {', '.join(absent[:LISTED])}{more}")
    if equivalent:
        say(f"By other code that is known to make the same bytes (equivalent.json): {equivalent} of {counts.total()}")
    wrong = [f"{counts[status]} {status.value}" for status in Status if counts[status] and status is not Status.CURRENT]
    say(f"{counts.total()} results: {', '.join([f'{counts[Status.CURRENT]} up to date', *wrong])}.")
    return not wrong


def _machine(record: Record) -> list[str]:
    """How the machines that made a result differ from this one, each difference once."""
    here, lines = _here(record.device), set[str]()
    for then in (record.environment, *record.others):
        lines.update(differences(then, {name: here[name] for name in then.keys() & here.keys()}))
    found = sorted(line for line in lines if not line.startswith(IGNORED) or line.startswith(ROUNDING))
    if record.others:
        found.append(f"{len(record.others) + 1} environments computed it one after another, or together")
    if record.workers > 1:
        found.append(f"{record.workers} ranks shared each batch; another world size rounds sums differently")
    return found


@cache
def _here(device: str | None) -> dict[str, object]:
    return environment(device)


def _rebuild(record: Record, params_file: Path) -> Iterator[str]:
    """Run the stage's own command in a folder that links to all files here but its outputs; yields what differs."""
    base = Path("results") / record.scale
    with tempfile.TemporaryDirectory(prefix="fernn-verify-") as name:
        shadow = Path(name)
        for entry in Path.cwd().iterdir():
            if not entry.name.startswith(".") and entry.name != "results":
                (shadow / entry.name).symlink_to(entry)
        # a checkpoint would spare the work that is to be repeated
        left_out = shutil.ignore_patterns("unfinished", "locks", "*.partial")
        shutil.copytree(base.absolute(), shadow / base, copy_function=os.symlink, ignore=left_out)
        for output in record.outputs:
            (shadow / output).unlink(missing_ok=True)
        command = [sys.executable, "-m", "fernn.cli", record.stage, *([record.name] if record.name else [])]
        command += ["--scale", record.scale, "--params", str(params_file.absolute())]
        if record.stage in ("train", "evaluate") and "cuda" not in record.environment:
            command.append("--allow-cpu")
        if record.workers > 1:
            command += ["--workers", str(record.workers)]
        path = os.pathsep.join([str(PACKAGE.parent), *filter(None, [os.environ.get("PYTHONPATH")])])
        ended = subprocess.run(command, cwd=shadow, env={**os.environ, "PYTHONPATH": path}, stdout=subprocess.DEVNULL)
        if ended.returncode:
            raise FernnError(f"{record.stage} {record.name}: rebuilding it failed; its own message is above.")
        for output, digest in record.outputs.items():
            if Path(output).name not in (*COST, REPORT) and sha256(shadow / output) != digest:
                yield f"{output}: rebuilt, it has other bytes"
