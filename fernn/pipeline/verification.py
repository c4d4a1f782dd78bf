"""`fernn verify`: compare results with their records, and the records with the params, code and machine of today."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import chdir
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from fernn.errors import FernnError
from fernn.experiments import load_params
from fernn.files import sha256
from fernn.layout import COST, RECORD, REPORT, SUPERSEDED, Layout
from fernn.pipeline.audit import Audit, State, differences
from fernn.pipeline.export.archive import members_of
from fernn.pipeline.jobs import Job, Jobs
from fernn.provenance.code import PACKAGE
from fernn.provenance.environment import environment
from fernn.provenance.records import DamagedRecordError, Record, read_record

# what no result depends on, or what every stage sets itself. Snakemake and torch set these variables for each job
SET = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "KMP_INIT_AT_FORK")
IGNORED = ("host", "commit.changed", "determinism.", "variables ", *(f"variables.{name}" for name in SET))
ROUNDING = ("determinism.instructions", 'determinism.rounding "')  # and what decides how sums are rounded
LISTED = 5


@dataclass(frozen=True)
class Verdict:
    """The check of one result.

    Attributes:
        name: of the result.
        differs: what is not as recorded, one sentence each.
        machine: what differs where it was made; no fault by itself.
        equivalent: whether other code made it, which is known to make the same bytes.
        missing: whether nothing of it is here.
    """

    name: str
    differs: list[str] = field(default_factory=list)
    machine: list[str] = field(default_factory=list)
    equivalent: bool = False
    missing: bool = False


def verify(results: list[Path], params_file: Path, again: bool = False) -> Iterator[Verdict]:
    """Check results of this project.

    Args:
        results: files or folders below results/<scale>; a folder stands for all results in it.
        params_file: of today.
        again: also make each result once more, in a folder of its own, and compare the bytes.

    Raises:
        FernnError: if there is no such file or folder, no result there, or making one again fails.
    """
    for result in results:
        found = False
        for verdict in _verify(result, params_file, again):
            found = True
            yield verdict
        if not found:
            raise FernnError(
                f"{result}: no record says where this comes from. Results of the pipeline have one beside them; run "
                "this in the folder of params.yaml, with a path below that folder."
            )


def _verify(result: Path, params_file: Path, again: bool) -> Iterator[Verdict]:
    if not result.exists():
        raise FernnError(f"{result}: no such file or folder. Name a result, such as results/quick/tables/table1.md.")
    path = Path(os.path.abspath(result))  # noqa: PTH100 (links stay)
    if not path.is_relative_to(Path.cwd() / "results") or path == Path.cwd() / "results":
        return
    scale = path.relative_to(Path.cwd() / "results").parts[0]
    audit = Audit(Jobs(load_params(params_file, scale), Layout(scale)))
    records = {job.record: job for job in audit.jobs.all.values()}
    for record, job in records.items():
        if any(Path(os.path.abspath(each)).is_relative_to(path) for each in (*job.writes, record)):  # noqa: PTH100
            yield _judged(audit, job, params_file if again else None)
    for record in _records(result) if result.is_dir() else ():
        if record not in records:
            yield _stray(record, audit.jobs, params_file)


def _judged(audit: Audit, job: Job, again: Path | None = None) -> Verdict:
    """The check of a job's result; it is made again by the params of a file, if one is given."""
    found = audit.of(job)
    if found.record is None and found.state is State.MISSING:
        return Verdict(str(job), missing=True)
    differs = [] if found.state is State.DONE else list(found.reasons)
    if again and found.record:
        differs += _again(found.record, again)
    return Verdict(str(job), differs, _machine(found.record) if found.record else [], found.equivalent)


def _stray(path: Path, jobs: Jobs, params_file: Path) -> Verdict:
    """The check of a record that belongs to no job: of a run that the params no longer name, or that was set aside."""
    try:
        record = read_record(path)
    except DamagedRecordError as error:
        return Verdict(str(path), [str(error)])
    assert record is not None
    name = f"{record.stage} {record.name}".rstrip()
    if SUPERSEDED not in path.parts:
        known = (record.stage, record.name) in jobs.all
        return Verdict(
            name, [f"{path} is in the place of another result" if known else f"{params_file} does not name it"]
        )
    files = {path.parent / Path(output).name: digest for output, digest in record.outputs.items()}
    changed = [file for file, digest in files.items() if not file.exists() or sha256(file) != digest]
    reason = f"{path.parent}: made by other params or code, and set aside"
    return Verdict(name, [reason, *(f"{file} is missing, or not what was written" for file in changed)])


def _records(folder: Path) -> Iterator[Path]:
    """All records below a folder, links followed, but for those of runs that were set aside in a folder inside it."""
    seen = set()
    for root, folders, files in os.walk(folder, followlinks=True):
        if (real := os.path.realpath(root)) in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if name != SUPERSEDED)
        yield from (Path(root) / name for name in sorted(files) if name.endswith(RECORD) and name[0] != ".")


def verify_archive(folder: Path, params_file: Path, again: bool = False) -> Iterator[Verdict] | None:
    """Check the results of an archive of `fernn export`, unpacked into a folder.

    They are compared with the params and code of today, not those of the archive. What it came without, such as data
    sets, is not missing. None if the folder is no such archive.

    Raises:
        FernnError: if its description cannot be read, or its results are to be made `again`.
    """
    held = members_of(folder)
    if held is not None and again:
        raise FernnError(
            f"{folder}: an archive comes without its data sets, so none of its results can be made again there. "
            "Make them in a clone and compare the two: fernn compare."
        )
    return None if held is None else _verify_archive(folder, params_file.absolute(), {*held})


def _verify_archive(folder: Path, params_file: Path, held: set[str]) -> Iterator[Verdict]:
    with chdir(folder):  # records name files from there
        for base in sorted(path for path in Path("results").iterdir() if path.is_dir()):
            audit = Audit(Jobs(load_params(params_file, base.name), Layout(base.name)))
            records = {job.record: job for job in audit.jobs.all.values()}
            for record, job in records.items():
                found = audit.of(job)
                if found.state is State.MISSING and found.record:  # of what it came with, all must be here
                    absent = [name for name in found.record.outputs if name in held and not Path(name).exists()]
                    differs = [f"{name} is missing" for name in absent]
                    yield Verdict(str(job), differs, _machine(found.record), found.equivalent)
                elif found.record or record.as_posix() in held:
                    yield _judged(audit, job)
            yield from (_stray(record, audit.jobs, params_file) for record in _records(base) if record not in records)


def show(verdicts: Iterator[Verdict], say: Callable[[str], None]) -> bool:
    """Print the verdicts; returns whether all results that are here are as recorded."""
    count, wrong, equivalent, machines = 0, 0, 0, Counter[str]()
    missing = []
    for verdict in verdicts:
        if verdict.missing:
            missing.append(verdict.name)
            continue
        count, wrong = count + 1, wrong + bool(verdict.differs)
        equivalent += verdict.equivalent and not verdict.differs
        machines.update(verdict.machine)
        say(f"{'DIFFERS' if verdict.differs else 'as recorded'}: {verdict.name}")
        for line in verdict.differs:
            say(f"  {line}")
    for line, number in machines.items():
        say(f"Another machine or version ({number} of {count}): {line}")
    if missing:
        more = f" and {len(missing) - LISTED} more" if len(missing) > LISTED else ""
        say(f"Not here ({len(missing)}): {', '.join(missing[:LISTED])}{more}")
    if equivalent:
        say(f"By other code that is known to make the same bytes (equivalent.json): {equivalent} of {count}")
    say(f"{count} results, {count - wrong} as recorded, {wrong} not.")
    return not wrong


def _machine(record: Record) -> list[str]:
    """What differs between the machines that made a result and this one, each line once."""
    lines = set()
    for then in (record.environment, *record.others):
        here = {name: value for name, value in _here(record.device).items() if name in then}
        lines |= {*differences(then, here)}
    found = sorted(line for line in lines if not line.startswith(IGNORED) or line.startswith(ROUNDING))
    if record.others:
        found.append(f"{len(record.others) + 1} environments computed it one after another, or together")
    if record.workers > 1:
        found.append(f"{record.workers} workers shared each batch, and other numbers of them round sums otherwise")
    return found


@cache
def _here(device: str | None) -> dict[str, object]:
    return environment(device)


def _again(record: Record, params_file: Path) -> Iterator[str]:
    """Run the stage's own command in a folder that sees all that this one has, but its outputs and what it is given."""
    base = Path("results") / record.scale
    with tempfile.TemporaryDirectory(prefix="fernn-verify-") as name:
        shadow = Path(name)
        for entry in Path.cwd().iterdir():
            if not entry.name.startswith(".") and entry.name != "results":
                (shadow / entry.name).symlink_to(entry)
        # a checkpoint would spare the work that is to be done again
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
            raise FernnError(f"{record.stage} {record.name}: making it again failed; its own message stands above.")
        for output, digest in record.outputs.items():
            if Path(output).name not in (*COST, REPORT) and sha256(shadow / output) != digest:
                yield f"{output}: made again, it has other bytes"
