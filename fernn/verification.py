"""`fernn verify`: hold a result against its record, and the record against the params, code and machine of today."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fernn.errors import FernnError
from fernn.files import sha256
from fernn.params import load_params
from fernn.provenance.digests import PACKAGE
from fernn.provenance.environment import environment
from fernn.provenance.records import NAME, Record, read_record
from fernn.runs import find_run
from fernn.stages import dataset_inputs, evaluate_inputs, results_inputs, train_inputs

# what no result depends on, or what is set anew by every stage
UNCOMPARED = ("host", "commit.changed", "determinism")
INSTRUCTIONS = "determinism.instructions"  # of the CPU: these decide how sums are rounded


@dataclass(frozen=True)
class Verdict:
    """What came of one result.

    Attributes:
        record: of the result.
        differs: what is not as recorded, one sentence each.
        machine: what was otherwise where it was made; no fault by itself.
    """

    record: Record
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
        records = sorted(path for path in folder.rglob(f"*{NAME}") if not path.name.startswith("."))
        if result.is_file() and result not in records:
            records = [path for path in records if result.as_posix() in read_record(path).outputs]
        elif result.is_file():
            records = [result]
        if not records:
            raise FernnError(
                f"{result}: no record says where this comes from. Results of the pipeline have one beside them; run "
                "this in the folder of params.yaml, with the path as it stands below that."
            )
        found |= dict.fromkeys(records)
    return list(found)


def verify(path: Path, params_file: Path, again: bool = False) -> Verdict:
    """Hold one result against its record.

    Args:
        path: the record.
        params_file: of today.
        again: also make the result once more, in a folder of its own, and compare the bytes.

    Raises:
        FernnError: if the record cannot be read, or making it again fails.
    """
    record = read_record(path)
    differs = [*_bytes(record.outputs, "written"), *_bytes(record.files, "read")]
    differs += _inputs(record, params_file)
    if again:
        differs += _again(record, params_file)
    return Verdict(record, differs, _machine(record))


def show(verdicts: Iterator[Verdict], say: Callable[[str], None]) -> bool:
    """Print what came of results; returns whether all are as recorded."""
    count, wrong, machines = 0, 0, Counter[str]()
    for verdict in verdicts:
        count, wrong = count + 1, wrong + bool(verdict.differs)
        machines.update(verdict.machine)
        of = verdict.record
        say(f"{'DIFFERS' if verdict.differs else 'as recorded'}: {of.stage} {of.name}".rstrip())
        for line in verdict.differs:
            say(f"  {line}")
    for line, number in machines.items():
        say(f"Another machine or version ({number} of {count}): {line}")
    say(f"{count} results, {count - wrong} as recorded, {wrong} not.")
    return not wrong


def _bytes(digests: dict[str, str], what: str) -> Iterator[str]:
    for name, digest in digests.items():
        if not Path(name).exists():
            yield f"{name}, which was {what}, is missing"
        elif (now := sha256(name)) != digest:
            yield f"{name} is not what was {what}: sha256 {digest[:12]}... then, {now[:12]}... now"


def _inputs(record: Record, params_file: Path) -> Iterator[str]:
    params = load_params(params_file, record.scale)
    try:
        if record.stage == "dataset":
            now = dataset_inputs(params, *record.name.split("/", 1))
        elif record.stage in ("train", "evaluate"):
            of = {"train": train_inputs, "evaluate": evaluate_inputs}[record.stage]
            now = of(params, find_run(params, record.name))
        else:
            now = results_inputs(params, record.stage)
    except FernnError as error:
        yield f"{params_file} no longer names it: {str(error).splitlines()[0]}"
        return
    for line in _differences(record.inputs, json.loads(json.dumps(now))):
        commit = (record.environment.get("commit") or {}).get("id") if line.startswith("code ") else None
        yield f"input {line}" + (f"; see git diff {commit[:12]} -- fernn" if commit else "")


def _machine(record: Record) -> list[str]:
    then = record.environment
    device = ("cuda" if "cuda" in then else "cpu") if "determinism" in then else None
    lines = _differences(then, environment(device))
    return [line for line in lines if not line.startswith(UNCOMPARED) or line.startswith(INSTRUCTIONS)]


def _differences(then: dict[str, Any], now: dict[str, Any]) -> list[str]:
    before, after = dict(_leaves(then)), dict(_leaves(now))
    names = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    return [f"{name} {_shown(before, name)} then, {_shown(after, name)} now" for name in names]


def _leaves(values: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, dict) and value:
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _shown(values: dict[str, Any], name: str) -> str:
    return json.dumps(values[name]) if name in values else "not there"


def _again(record: Record, params_file: Path) -> Iterator[str]:
    """Run the stage's own command in a folder that sees all that this one has, but its outputs and what it is given."""
    base = Path("results") / record.scale
    with tempfile.TemporaryDirectory(prefix="fernn-verify-") as name:
        shadow = Path(name)
        for entry in Path.cwd().iterdir():
            if not entry.name.startswith(".") and entry.name != "results":
                (shadow / entry.name).symlink_to(entry)
        # a checkpoint would spare the work that is to be done again
        shutil.copytree(base.absolute(), shadow / base, copy_function=os.symlink, ignore=_ignore)
        for output in record.outputs:
            (shadow / output).unlink(missing_ok=True)
        command = [sys.executable, "-m", "fernn.cli", record.stage, *([record.name] if record.name else [])]
        command += ["--scale", record.scale, "--params", str(params_file.absolute())]
        if record.stage == "train" and "cuda" not in record.environment:
            command.append("--allow-cpu")
        path = os.pathsep.join([str(PACKAGE.parent), *filter(None, [os.environ.get("PYTHONPATH")])])
        ended = subprocess.run(command, cwd=shadow, env={**os.environ, "PYTHONPATH": path}, stdout=subprocess.DEVNULL)
        if ended.returncode:
            raise FernnError(f"{record.stage} {record.name}: making it again failed; its own message stands above.")
        for output, digest in record.outputs.items():
            if sha256(shadow / output) != digest:
                yield f"{output}: made again, it has other bytes"


def _ignore(folder: str, names: list[str]) -> list[str]:
    return [name for name in names if name in ("unfinished", "locks") or name.endswith(".partial")]
