"""One run on each GPU, on a machine whose GPUs are made up."""

import errno
import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

from fernn.errors import FernnError
from fernn.gpus import VISIBLE, some_gpus, visible_gpus
from tests.programs import program

CLAIM = """
import os, sys
from pathlib import Path
from fernn.gpus import some_gpus
with some_gpus(int(sys.argv[2]), lambda line: print(line, flush=True), Path(sys.argv[1]), 0.01):
    print(os.environ["CUDA_VISIBLE_DEVICES"], flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def _no_slurm(monkeypatch):
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)


def start(folder: Path, root: Path, gpus: str, number: int = 1, **more: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(root), VISIBLE: gpus, **more}
    command = [sys.executable, "-c", CLAIM, str(folder), str(number)]
    return subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def test_runs_spread_over_gpus_and_wait_when_all_are_taken(tmp_path, root):
    first, second = start(tmp_path, root, "3,5"), start(tmp_path, root, "3,5")
    assert {first.stdout.readline(), second.stdout.readline()} == {"3\n", "5\n"}
    third = start(tmp_path, root, "3,5")
    assert third.stdout.readline() == "too few of these GPUs are free: 3, 5; waiting for 1\n"
    first.kill()  # the system gives back what it held
    first.communicate()
    assert third.stdout.readline() in ("3\n", "5\n")
    for each in (second, third):
        each.communicate()
        assert each.returncode == 0


def test_one_who_wants_several_is_not_passed_by(tmp_path, root):
    """Runs of one GPU come and go; a run that waits for two GPUs gets free ones before later runs."""
    first, second = start(tmp_path, root, "3,5"), start(tmp_path, root, "3,5")
    holders = {each.stdout.readline(): each for each in (first, second)}
    both = start(tmp_path, root, "3,5", 2)
    assert both.stdout.readline() == "too few of these GPUs are free: 3, 5; waiting for 2\n"
    later = start(tmp_path, root, "3,5")
    assert later.stdout.readline().endswith("waiting for 1\n")
    elsewhere = start(tmp_path, root, "7")  # whose GPU is none of those
    assert elsewhere.stdout.readline() == "7\n"
    for holder in holders.values():
        holder.kill()
        holder.communicate()
    assert both.stdout.readline() == "3,5\n"
    both.communicate()
    assert later.stdout.readline() == "3\n"
    for each in (both, later, elsewhere):
        each.communicate()
        assert each.returncode == 0


def test_two_who_want_all_do_not_wait_for_each_other(tmp_path, root):
    for _ in range(3):
        many = [start(tmp_path, root, names, 2) for names in ("3,5", "5,3", "3,5")]
        for each in many:
            each.stdin.close()
        for each in many:
            with each:
                each.stdout.read()
            assert each.returncode == 0


def test_fewer_gpus_than_asked_for(tmp_path, monkeypatch):
    monkeypatch.setenv(VISIBLE, "GPU-a,GPU-b")
    said = []
    with some_gpus(4, said.append, tmp_path) as number:
        assert (number, os.environ[VISIBLE]) == (2, "GPU-a,GPU-b")
    assert said == ["4 GPUs were requested and 2 are here: using these (GPU-a, GPU-b)"]


def test_a_gpu_is_given_back(tmp_path, monkeypatch):
    monkeypatch.setenv(VISIBLE, "GPU-a,GPU-b")
    for _ in range(3):
        with some_gpus(1, print, tmp_path):
            assert os.environ[VISIBLE] == "GPU-a"
        assert os.environ[VISIBLE] == "GPU-a,GPU-b"


def test_a_claim_whose_file_was_cleaned_away(tmp_path, monkeypatch):
    """/tmp may be cleaned: one who opened the file before takes no hold of the one that is gone."""
    monkeypatch.setenv(VISIBLE, "GPU-a")
    lock, opened = fcntl.flock, []

    def clean(descriptor: int, operation: int) -> None:
        lock(descriptor, operation)
        if not (tmp_path / "GPU-a").exists():
            return  # the turn of a waiting run
        if not opened:
            (tmp_path / "GPU-a").unlink()
        opened.append(os.fstat(descriptor).st_ino)

    monkeypatch.setattr(fcntl, "flock", clean)
    with some_gpus(1, print, tmp_path, 0.01):
        assert len(opened) == 2
        assert (tmp_path / "GPU-a").stat().st_ino == opened[1]


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("echo GPU-1; echo GPU-2", ["GPU-1", "GPU-2"]),
        ("echo NVIDIA-SMI has failed; exit 9", []),
        ("echo No devices were found", []),
    ],
)
def test_what_the_driver_lists(tmp_path, monkeypatch, said, expected):
    program(tmp_path / "nvidia-smi", said)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.delenv(VISIBLE, raising=False)
    assert visible_gpus() == expected


@pytest.mark.parametrize(("variable", "expected"), [("", []), ("-1", []), ("NoDevFiles", []), (" 2, 0", ["2", "0"])])
def test_what_the_environment_allows(monkeypatch, variable, expected):
    monkeypatch.setenv(VISIBLE, variable)
    assert visible_gpus() == expected


@pytest.mark.parametrize("named", ["1", "GPU-bb", "GPU-bbbb"])
def test_a_gpu_has_one_lock_however_it_is_named(named, tmp_path, monkeypatch):
    """By its number, its UUID, or the beginning of that."""
    monkeypatch.setattr("fernn.gpus.answer", lambda *_: "GPU-aaaa\nGPU-bbbb\n")
    monkeypatch.setenv(VISIBLE, named)
    with some_gpus(1, print, tmp_path):
        assert os.environ[VISIBLE] == named
        assert {path.name for path in tmp_path.iterdir()} == {"GPU-bbbb", "GPU-bbbb.turn"}


def test_a_file_system_without_locks(tmp_path, monkeypatch):
    def refused(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setenv(VISIBLE, "GPU-a")
    monkeypatch.setattr(fcntl, "flock", refused)
    with pytest.raises(FernnError, match="the file system has no locks"), some_gpus(1, print, tmp_path):
        pass


def test_a_machine_without_gpus_claims_none(tmp_path, monkeypatch):
    monkeypatch.setenv(VISIBLE, "")
    with some_gpus(1, print, tmp_path) as number:
        assert (number, os.environ[VISIBLE]) == (0, "")
    assert list(tmp_path.iterdir()) == []


def test_runs_in_one_job_of_slurm_spread_over_its_gpus(tmp_path, root):
    """As under `salloc`; another job numbers its GPUs by itself, and has its one GPU at once."""
    many = [start(tmp_path, root, "0,1", SLURM_JOB_ID="12") for _ in range(2)]
    many.append(start(tmp_path, root, "0", SLURM_JOB_ID="13"))
    seen = [each.stdout.readline() for each in many]
    for each in many:
        each.communicate()
        assert each.returncode == 0
    assert (sorted(seen[:2]), seen[2]) == (["0\n", "1\n"], "0\n")


@pytest.mark.parametrize("what", ["a link", "open to others", "of another user", "a file that is a link"])
def test_a_folder_of_locks_that_others_made(tmp_path, monkeypatch, what):
    monkeypatch.setenv(VISIBLE, "GPU-a")
    folder, away = tmp_path / "locks", tmp_path / "away"
    away.mkdir()
    folder.symlink_to(away) if what == "a link" else folder.mkdir(mode=0o700)
    if what == "open to others":
        folder.chmod(0o777)
    elif what == "of another user":
        monkeypatch.setattr(os, "getuid", lambda: folder.stat().st_uid + 1)
    elif what == "a file that is a link":
        (folder / "GPU-a").symlink_to(away / "file")
    with pytest.raises(FernnError, match=r"locks.*(this user alone|symbolic links)"), some_gpus(1, print, folder):
        pass
    assert list(away.iterdir()) == []
