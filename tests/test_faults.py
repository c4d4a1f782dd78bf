"""What a person is told when the machine is at fault: a sentence, and no traceback."""

import errno
import os
import subprocess
import sys

import pytest
import torch

from fernn import cli
from fernn.errors import explain
from fernn.files import atomic
from tests.faults.mutations import MUTATIONS


def of_files(number: int, *names: str) -> OSError:
    return OSError(number, os.strerror(number), *names)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (of_files(errno.ENOSPC, "results/a"), "results/a: no space left on device. Make room there, then run the same"),
        (of_files(errno.EDQUOT, "a"), "a: disk quota exceeded. Make room there"),
        (of_files(errno.EROFS, "a"), "a: read-only file system. Run it as a user who may, or elsewhere"),
        (of_files(errno.EACCES, "a"), "a: permission denied. Run it as a user who may"),
        (of_files(errno.EIO), "input/output error."),
        (of_files(errno.ENOTDIR, "a/b"), "a/b: not a directory."),
        (MemoryError(), "not enough memory: MemoryError. Take smaller sizes in params.yaml"),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"), "not enough memory: ["),
        (torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate\nmore"), "not enough memory: CUDA out of"),
    ],
)
def test_it_is_told_in_a_sentence(error, said, monkeypatch, capsys) -> None:
    assert explain(error).startswith(said)

    def app() -> None:
        raise error

    monkeypatch.setattr(cli, "app", app)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 1
    assert capsys.readouterr().err == f"fernn: {explain(error)}\n"


@pytest.mark.parametrize("error", [ValueError("a"), RuntimeError("shape"), KeyError("a"), OSError("without a number")])
def test_a_fault_of_the_code_keeps_its_traceback(error, monkeypatch) -> None:
    assert explain(error) is None

    def app() -> None:
        raise error

    monkeypatch.setattr(cli, "app", app)
    with pytest.raises(type(error)):
        cli.main()


def test_a_full_disk_is_named_by_the_file(tmp_path) -> None:
    """A write that fails does not know the name of what it writes."""
    with pytest.raises(OSError, match="No space left") as caught, atomic(tmp_path / "a"):
        raise of_files(errno.ENOSPC)
    assert caught.value.filename == str(tmp_path / "a")
    assert list(tmp_path.iterdir()) == []


def test_nobody_reads_on(root) -> None:
    """`fernn params --schema | head -1`."""
    command = [sys.executable, "-m", "fernn.cli", "params", "--schema"]
    process = subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    with process:
        process.stdout.close()
        told = process.stderr.read()
    assert told == ""


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.guard)
def test_a_guard_stands_where_the_mutation_check_looks_for_it(root, mutation):
    """`make mutations` takes minutes; an edit that moves a guard away from it is seen here at once."""
    assert (root / mutation.file).read_text().count(mutation.here) == 1
