"""One run on each GPU, on a machine whose GPUs are made up."""

import errno
import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

from fernn.errors import FernnError
from fernn.locks.gpus import VISIBLE, one_gpu, visible_gpus

CLAIM = """
import os, sys
from pathlib import Path
from fernn.locks.gpus import one_gpu
with one_gpu(lambda line: print(line, flush=True), Path(sys.argv[1]), 0.01):
    print(os.environ["CUDA_VISIBLE_DEVICES"], flush=True)
    sys.stdin.read()
"""


def start(folder: Path, root: Path, gpus: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(root), VISIBLE: gpus}
    environment.pop("SLURM_JOB_ID", None)
    command = [sys.executable, "-c", CLAIM, str(folder)]
    return subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def test_runs_spread_over_gpus_and_wait_when_all_are_taken(tmp_path, root):
    first, second = start(tmp_path, root, "3,5"), start(tmp_path, root, "3,5")
    assert {first.stdout.readline(), second.stdout.readline()} == {"3\n", "5\n"}
    third = start(tmp_path, root, "3,5")
    assert third.stdout.readline() == "all GPUs that this may use are taken (3, 5); waiting for one\n"
    first.kill()  # the system gives back what it held
    first.communicate()
    assert third.stdout.readline() in ("3\n", "5\n")
    for each in (second, third):
        each.communicate()
        assert each.returncode == 0


def test_a_gpu_is_given_back(tmp_path, monkeypatch):
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    monkeypatch.setenv(VISIBLE, "GPU-a,GPU-b")
    for _ in range(3):
        with one_gpu(print, tmp_path):
            assert os.environ[VISIBLE] == "GPU-a"
        assert os.environ[VISIBLE] == "GPU-a,GPU-b"


def test_a_claim_whose_file_was_cleaned_away(tmp_path, monkeypatch):
    """/tmp may be cleaned: one who opened the file before takes no hold of the one that is gone."""
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    monkeypatch.setenv(VISIBLE, "GPU-a")
    lock, opened = fcntl.flock, []

    def clean(descriptor: int, operation: int) -> None:
        lock(descriptor, operation)
        if not opened:
            (tmp_path / "GPU-a").unlink()
        opened.append(os.fstat(descriptor).st_ino)

    monkeypatch.setattr(fcntl, "flock", clean)
    with one_gpu(print, tmp_path, 0.01):
        assert len(opened) == 2
        assert (tmp_path / "GPU-a").stat().st_ino == opened[1]


def test_a_job_of_slurm_has_its_own(tmp_path, monkeypatch):
    monkeypatch.setenv("SLURM_JOB_ID", "12")
    monkeypatch.setenv(VISIBLE, "0,1")
    with one_gpu(print, tmp_path):
        assert os.environ[VISIBLE] == "0,1"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("echo GPU-1; echo GPU-2", ["GPU-1", "GPU-2"]),
        ("echo NVIDIA-SMI has failed; exit 9", []),
        ("echo No devices were found", []),
    ],
)
def test_what_the_driver_lists(tmp_path, monkeypatch, said, expected):
    (tmp_path / "nvidia-smi").write_text(f"#!/bin/sh\n{said}\n")
    (tmp_path / "nvidia-smi").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.delenv(VISIBLE, raising=False)
    assert visible_gpus() == expected


@pytest.mark.parametrize(("variable", "expected"), [("", []), ("-1", []), ("NoDevFiles", []), (" 2, 0", ["2", "0"])])
def test_what_the_environment_allows(monkeypatch, variable, expected):
    monkeypatch.setenv(VISIBLE, variable)
    assert visible_gpus() == expected


def test_without_gpus_nothing_is_claimed(tmp_path, monkeypatch):
    monkeypatch.setenv(VISIBLE, "")
    with one_gpu(print, tmp_path):
        assert os.environ[VISIBLE] == ""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("named", ["1", "GPU-bb", "GPU-bbbb"])
def test_a_gpu_has_one_lock_however_it_is_named(named, tmp_path, monkeypatch):
    """By its number, its UUID, or the beginning of that."""
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    monkeypatch.setattr("fernn.locks.gpus.answer", lambda *_: "GPU-aaaa\nGPU-bbbb\n")
    monkeypatch.setenv(VISIBLE, named)
    with one_gpu(print, tmp_path):
        assert os.environ[VISIBLE] == named
        assert [path.name for path in tmp_path.iterdir()] == ["GPU-bbbb"]


def test_a_file_system_without_locks(tmp_path, monkeypatch):
    def refused(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    monkeypatch.setenv(VISIBLE, "GPU-a")
    monkeypatch.setattr(fcntl, "flock", refused)
    with pytest.raises(FernnError, match="has no locks, by which"), one_gpu(print, tmp_path):
        pass
