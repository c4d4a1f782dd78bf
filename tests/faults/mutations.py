"""`make mutations`: each guard is removed in a copy of the project, and a test that fails there shows that it is held.

A guard that no test misses could be lost by anyone's edit. The list is also that of docs/reliability.md.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from tabulate import tabulate

from tests.faults.ledger import write_table

ROOT = Path(__file__).parents[2]
COPIED = ("fernn", "tests", "workflow", "resources", "docs", "params.yaml", "pyproject.toml", "Snakefile", "benchmarks")


@dataclass(frozen=True)
class Mutation:
    """A guard, and how it is removed.

    Attributes:
        guard: what it does.
        file: where it stands.
        here: its text, there once.
        gone: what stands in its place.
        test: what has to fail then.
    """

    guard: str
    file: str
    here: str
    gone: str
    test: str


MUTATIONS = (
    Mutation(
        "a download is checked by its digest",
        "fernn/data/digests.py",
        "if not any(hashes[digest.algorithm].hexdigest() == digest.value for digest in digests):",
        "if False:",
        "tests/data/test_download.py::test_wrong_bytes_lead_to_the_next_mirror",
    ),
    Mutation(
        "a file is written under another name",
        "fernn/files.py",
        "        yield temporary\n        finish(temporary)\n        os.replace(temporary, path)",
        "        yield Path(path)",
        "tests/test_files.py::test_nothing_is_left_of_what_failed",
    ),
    Mutation(
        "it is on the disk before it has its name",
        "fernn/files.py",
        "        os.fsync(file.fileno())",
        "        pass",
        "tests/test_files.py::test_it_is_on_the_disk_before_it_has_its_name",
    ),
    Mutation(
        "a download is on the disk before it has its name",
        "fernn/data/partial.py",
        "        os.fsync(self.file.fileno())\n",
        "",
        "tests/data/test_download.py::test_it_is_on_the_disk_before_it_has_its_name",
    ),
    Mutation(
        "weights that are no numbers are not saved",
        "fernn/training/loop.py",
        "return bool(state.loss_sum.isfinite()) and all(",
        "return bool(state.loss_sum.isfinite()) or all(",
        "tests/training/test_loop.py::test_weights_that_are_no_numbers_are_not_saved",
    ),
    Mutation(
        "of those who lock a run, one succeeds",
        "fernn/locks/run.py",
        "            return temporary.stat().st_nlink > 1",
        "            return True",
        "tests/test_files.py::test_of_many_one_writes",
    ),
    Mutation(
        "who was taken for dead writes nothing more",
        "fernn/locks/run.py",
        "        if not self.sign_of_life():",
        "        if False:",
        "tests/locks/test_run.py::test_who_was_taken_for_dead_writes_nothing_more",
    ),
    Mutation(
        "a training goes on with the random numbers that it had",
        "fernn/training/checkpoint.py",
        '        torch.set_rng_state(self.tensors["random"]["cpu"].cpu())',
        "",
        "tests/training/test_resume.py",
    ),
    Mutation(
        "a training goes on with the moments of Adam",
        "fernn/training/checkpoint.py",
        'optimizer.load_state_dict({**optimizer.state_dict(), "state": slots})',
        "pass",
        "tests/training/test_resume.py",
    ),
    Mutation(
        "a checkpoint of other params is not taken up",
        "fernn/training/checkpoint.py",
        "            if state.identity == identity:",
        "            if True:",
        "tests/training/test_resume.py",
    ),
    Mutation(
        "a checkpoint is held against its checksum",
        "fernn/training/checkpoint.py",
        'if about.pop("checksum") != _checksum(about, tensors):',
        'if about.pop("checksum") is None:',
        "tests/training/test_resume.py",
    ),
    Mutation(
        "a loss that is no number is not saved",
        "fernn/training/loop.py",
        "if sound():  # else the last good checkpoint stays",
        "if True:",
        "tests/training/test_loop.py::test_the_batch_is_named_and_the_last_good_checkpoint_stays",
    ),
    Mutation(
        "unknown keys of params.yaml are errors",
        "fernn/params/base.py",
        'extra="forbid", ',
        "",
        "tests/test_params.py",
    ),
    Mutation(
        "values of another type are errors",
        "fernn/params/base.py",
        "strict=True, ",
        "",
        "tests/test_params.py",
    ),
    Mutation(
        "keys that are given twice are errors",
        "fernn/params/document.py",
        "            if name in lines:",
        "            if False:",
        "tests/test_yaml.py",
    ),
    Mutation(
        "YAML makes no objects",
        "fernn/params/document.py",
        "class _Strict(yaml.SafeLoader):",
        "class _Strict(yaml.UnsafeLoader):",
        "tests/faults/test_strangers.py::test_no_yaml_makes_objects",
    ),
    Mutation(
        "names are names",
        "fernn/params/base.py",
        'pattern=r"^[A-Za-z0-9][A-Za-z0-9+._-]*$"',
        'pattern=r""',
        "tests/faults/test_strangers.py::test_names_are_names",
    ),
    Mutation(
        "an archive has the members that are known, and no others",
        "fernn/data/kth/archives.py",
        '        "unknown members": sorted(set(found) - names),\n',
        "",
        "tests/faults/test_strangers.py::test_members_that_lead_elsewhere",
    ),
    Mutation(
        "a member does not swell beyond measure",
        "fernn/data/kth/archives.py",
        "LARGEST = 1 << 28",
        "LARGEST = 1 << 40",
        "tests/faults/test_strangers.py::test_a_member_that_is_a_bomb",
    ),
    Mutation(
        "a record is held against its checksum",
        "fernn/provenance/records.py",
        'if content.pop("checksum", None) != identity(content):',
        'if content.pop("checksum", None) is None:',
        "tests/faults/test_going_on.py::test_each_changed_file_is_named",
    ),
    Mutation(
        "a result is held against the digest in its record",
        "fernn/pipeline/audit.py",
        "            return Finding(State.DAMAGED, tuple(damaged), record)",
        "            pass",
        "tests/faults/test_going_on.py::test_each_changed_file_is_named",
    ),
)


def run(
    page: Annotated[Path | None, typer.Option(help="Write the list there, where it has its place.")] = None,
) -> None:
    """Remove each guard in a copy, and run the test that has to miss it."""
    rows, missed = [], []
    with tempfile.TemporaryDirectory(prefix="fernn-mutations-") as folder:
        copy = Path(folder)
        for name in COPIED:
            (shutil.copytree if (ROOT / name).is_dir() else shutil.copy)(ROOT / name, copy / name)
        if failed := [test for test in sorted({each.test for each in MUTATIONS}) if not _passes(copy, test)]:
            raise SystemExit(f"These fail as it is: {', '.join(failed)}")
        for each in MUTATIONS:
            path = copy / each.file
            whole = path.read_text(encoding="utf-8")
            if whole.count(each.here) != 1:
                raise SystemExit(f"{each.guard}: {each.file} has {whole.count(each.here)} times {each.here!r}")
            path.write_text(whole.replace(each.here, each.gone), encoding="utf-8")
            missed += [each.guard] if _passes(copy, each.test) else []
            path.write_text(whole, encoding="utf-8")
            said = "NO TEST MISSES IT" if each.guard in missed else "a test fails"
            typer.echo(f"{each.guard}: {said}", err=True)
            rows.append([each.guard, f"`{each.file}`", f"`{each.test.removeprefix('tests/')}`"])
    table = tabulate(rows, ["guard", "removed from", "what fails then"], tablefmt="pipe")
    typer.echo(table)
    if missed:
        raise SystemExit(f"{len(missed)} guards that no test misses: {', '.join(missed)}")
    if page is not None:
        write_table(page, "make mutations", table)


def _passes(copy: Path, test: str) -> bool:
    environment = {**os.environ, "PYTHONPATH": str(copy), "FERNN_FAULTS": "some", "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", test]
    done = subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True)
    if done.returncode not in (0, 1):
        raise SystemExit(f"{test}: no test ran\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.returncode == 0


if __name__ == "__main__":
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(run)
    app()
