"""`fernn verify`: hold a result against its record, and the record against the params, code and machine of today."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import chdir
from dataclasses import dataclass
from pathlib import Path

from fernn.audit import Audit, State, differences
from fernn.errors import FernnError
from fernn.experiments import load_params
from fernn.export.archive import members_of
from fernn.files import sha256
from fernn.jobs import Jobs
from fernn.layout import COST, RECORD, REPORT, SUPERSEDED, Layout
from fernn.provenance.code import PACKAGE
from fernn.provenance.environment import environment
from fernn.provenance.records import DamagedRecordError, Record, read_record

# what no result depends on, or what is set anew by every stage
UNCOMPARED = ("host", "commit.changed", "determinism")
INSTRUCTIONS = "determinism.instructions"  # of the CPU: these decide how sums are rounded


@dataclass(frozen=True)
class Verdict:
    """What came of one result.

    Attributes:
        name: of the result.
        differs: what is not as recorded, one sentence each.
        machine: what was otherwise where it was made; no fault by itself.
    """

    name: str
    differs: list[str]
    machine: list[str]


def find_records(results: list[Path]) -> list[Path]:
    """The records of results: all below a folder, or the one that names a file.

    Raises:
        FernnError: if there is none.
    """
    found: dict[Path, None] = {}
    for result in results:
        if not result.exists():
            raise FernnError(
                f"{result}: no such file or folder. Name a result, such as results/quick/tables/table1.md."
            )
        folder = result if result.is_dir() else result.parent
        every = (path.relative_to(folder) for path in folder.rglob(f"*{RECORD}"))
        # what was moved out of the way is no result of today, unless that is what is asked for
        records = sorted(folder / path for path in every if path.name[0] != "." and SUPERSEDED not in path.parts)
        if result.is_file() and result not in records:
            told = ((path, read_record(path)) for path in records)
            records = [path for path, record in told if record and result.as_posix() in record.outputs]
        elif result.is_file():
            records = [result]
        if not records:
            raise FernnError(
                f"{result}: no record says where this comes from. Results of the pipeline have one beside them; run "
                "this in the folder of params.yaml, with the path as it stands below that."
            )
        found |= dict.fromkeys(records)
    return list(found)


def verify_archive(folder: Path, params_file: Path, again: bool = False) -> Iterator[Verdict] | None:
    """Hold the results of an archive of `fernn export`, unpacked into a folder, against their records.

    These are held against the params and code of today, not those of the archive. What it came without, such as data
    sets, is not missed. None if the folder is no such archive.

    Raises:
        FernnError: if its description cannot be read, or its results are to be made `again`.
    """
    held = members_of(folder)
    if held is not None and again:
        raise FernnError(
            f"{folder}: an archive comes without its data sets, so nothing of it can be made again there. Make the "
            "results anew in a clone, and hold the two against each other: fernn compare."
        )
    return None if held is None else _verify_archive(folder, params_file.absolute(), held)


def _verify_archive(folder: Path, params_file: Path, held: Collection[str]) -> Iterator[Verdict]:
    audits: dict[str, Audit] = {}
    with chdir(folder):  # records name files from there
        for path in find_records([Path("results")]):
            yield verify(path, params_file, audits, held=held)


def verify(
    path: Path,
    params_file: Path,
    audits: dict[str, Audit],
    again: bool = False,
    held: Collection[str] | None = None,
) -> Verdict:
    """Hold one result against its record.

    Args:
        path: the record.
        params_file: of today.
        audits: by scale; filled here, so that each file is looked at once.
        again: also make the result once more, in a folder of its own, and compare the bytes.
        held: the files that have to be here; all if None.

    Raises:
        FernnError: if there is no such record, or making it again fails.
    """
    try:
        record = read_record(path)
    except DamagedRecordError as error:
        return Verdict(str(path), [str(error)], [])
    if record is None:
        raise FernnError(f"{path}: no such record.")
    if record.scale not in audits:
        audits[record.scale] = Audit(Jobs(load_params(params_file, record.scale), Layout(record.scale)))
    audit, name = audits[record.scale], f"{record.stage} {record.name}".rstrip()
    try:
        job = audit.jobs.find(record.stage, record.name)
    except FernnError as error:
        return Verdict(name, [f"{params_file} no longer names it: {str(error).splitlines()[0]}"], [])
    found = audit.of(job)
    differs = [] if found.state is State.DONE else list(found.reasons)
    if found.state is State.MISSING and held is not None:
        differs = [f"{name} is missing" for name in record.outputs if name in held and not Path(name).exists()]
    if again:
        differs += _again(record, params_file)
    return Verdict(name, differs, _machine(record))


def show(verdicts: Iterator[Verdict], say: Callable[[str], None]) -> bool:
    """Print what came of results; returns whether all are as recorded."""
    count, wrong, machines = 0, 0, Counter[str]()
    for verdict in verdicts:
        count, wrong = count + 1, wrong + bool(verdict.differs)
        machines.update(verdict.machine)
        say(f"{'DIFFERS' if verdict.differs else 'as recorded'}: {verdict.name}")
        for line in verdict.differs:
            say(f"  {line}")
    for line, number in machines.items():
        say(f"Another machine or version ({number} of {count}): {line}")
    say(f"{count} results, {count - wrong} as recorded, {wrong} not.")
    return not wrong


def _machine(record: Record) -> list[str]:
    then = record.environment
    device = ("cuda" if "cuda" in then else "cpu") if "determinism" in then else None
    lines = differences(then, environment(device))
    found = [line for line in lines if not line.startswith(UNCOMPARED) or line.startswith(INSTRUCTIONS)]
    if record.workers > 1:
        found.append(f"{record.workers} workers shared each batch, and other numbers of them round sums otherwise")
    return found


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
