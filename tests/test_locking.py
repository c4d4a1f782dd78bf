"""Locks of results: one process at a time, dead owners are recognised; and locks of open files."""

import errno
import fcntl
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from fernn import locks
from fernn.errors import FernnError
from fernn.locks import NO_LOCKS, Owner, Pace, TakenOverError, hold, is_dead, myself, take
from tests.programs import program
from workflow import presence
from workflow.presence import enter

PACE = Pace(beat=0.05, look=0.01)
ELSEWHERE = Owner("n7", "another machine", 4711, "1", None)

# takes the lock in the folder, prints a line, and ends on request
HOLD = """
import sys
from pathlib import Path
from fernn.locks import Pace, hold
with hold(Path(sys.argv[1]), lambda line: print(line, flush=True), Pace(0.05, 0.01)):
    print("held", flush=True)
    sys.stdin.read()
"""


def process(folder: Path, root: Path) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(root)}
    environment.pop("SLURM_JOB_ID", None)
    command = [sys.executable, "-c", HOLD, str(folder)]
    return subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def leave(folder: Path, of: Owner, number: int = 1) -> Path:
    """The lock of somebody who is not heard of any more."""
    (folder / str(number)).write_text(json.dumps(asdict(of)))
    return folder / str(number)


def owner_of(folder: Path) -> tuple[Owner, float] | None:
    """The owner of a lock, dead or alive, and the time of its last sign of life."""
    number = locks._newest(folder)
    return locks._read(folder / str(number)) if number else None


def free(folder: Path) -> bool:
    """Whether nobody holds it, and nothing but locks is left."""
    return owner_of(folder) is None and all(path.name.isdecimal() for path in folder.iterdir())


def within(condition: Callable[[], bool], seconds: float = 60.0) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if condition():
            return True
        time.sleep(0.01)
    return False


def test_it_names_its_owner_shows_signs_of_life_and_is_given_back_when_the_work_fails(tmp_path):
    with pytest.raises(ZeroDivisionError), hold(tmp_path, print, PACE):
        assert owner_of(tmp_path)[0] == myself()
        os.utime(tmp_path / "1", (0, 0))
        assert within(lambda: owner_of(tmp_path)[1] > 0)
        raise ZeroDivisionError
    assert free(tmp_path)


def test_a_second_process_waits_for_the_first(tmp_path, root):
    first = process(tmp_path, root)
    assert first.stdout.readline() == "held\n"
    second = process(tmp_path, root)
    assert second.stdout.readline().startswith(f"process {first.pid} on ")
    assert second.poll() is None
    first.communicate()
    assert second.stdout.readline() == "held\n"
    assert second.communicate()[0] == ""


def test_a_killed_process_is_followed_at_once(tmp_path, root):
    first = process(tmp_path, root)
    assert first.stdout.readline() == "held\n"
    first.kill()  # it stays a zombie: nobody has asked for its status yet
    said: list[str] = []
    began = time.monotonic()
    with hold(tmp_path, said.append, Pace(beat=3600.0, look=0.01)):
        assert time.monotonic() - began < 600  # the beat is of an hour
        assert sorted(path.name for path in tmp_path.iterdir()) == ["1", "2"]
    assert any("died while it held the lock" in line for line in said)
    first.communicate()


def test_of_many_one_holds_at_a_time(tmp_path):
    """Threads stand for processes: all are alive, so each waits for the one before it."""
    leave(tmp_path, replace(myself(), pid=2**22 + 1))
    inside: list[int] = []
    most: list[int] = []

    def work() -> None:
        with hold(tmp_path, lambda line: None, PACE):
            inside.append(1)
            most.append(len(inside))
            time.sleep(0.002)
            inside.pop()

    threads = [threading.Thread(target=work) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1] * 16
    assert free(tmp_path)


@pytest.mark.parametrize("others", [1, 2, 3])
@pytest.mark.parametrize("found", ["nothing", "a dead one", "a free one"])
def test_who_looked_before_others_came_and_went_waits_for_the_last(tmp_path, monkeypatch, found, others):
    """Between its look and its own lock, others held it, one after another; the last of them still does."""
    if found == "a dead one":
        leave(tmp_path, replace(myself(), pid=2**22 + 1))
    elif found == "a free one":
        with hold(tmp_path, print, PACE):
            pass
    write, looked, go_on, entered = locks.write_once, threading.Event(), threading.Event(), threading.Event()

    def late(path: Path, text: str) -> bool:
        if threading.current_thread() is slow and not looked.is_set():
            looked.set()
            assert go_on.wait(60)
        return write(path, text)

    def work() -> None:
        with hold(tmp_path, lambda line: None, PACE):
            entered.set()

    monkeypatch.setattr(locks, "write_once", late)
    slow = threading.Thread(target=work)
    slow.start()
    assert looked.wait(60)
    for _ in range(others - 1):
        with hold(tmp_path, print, PACE):
            pass
    with hold(tmp_path, print, PACE) as last:
        go_on.set()
        assert not entered.wait(0.5)
        last.check()
    slow.join(60)
    assert entered.is_set()
    assert free(tmp_path)


def test_a_process_that_proc_hides_is_not_taken_for_dead(monkeypatch):
    """Of somebody else, where /proc is mounted with hidepid."""

    def refused(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr("os.kill", refused)
    monkeypatch.setattr("fernn.locks._started", lambda pid: "")
    assert not is_dead(replace(myself(), started="1"), still=1e9, beat=1.0)


@pytest.mark.parametrize(
    ("owner", "silence", "dead"),
    [
        ({}, 1e9, False),  # this process
        ({"started": "1"}, 0.0, True),  # its pid was reused
        ({"machine": "the boot before this one"}, 29.0, False),  # its pids mean nothing here, so its silence decides
        ({"machine": "the boot before this one"}, 31.0, True),
    ],
)
def test_an_owner_without_slurm(owner, silence, dead):
    assert is_dead(replace(myself(), job=None, **owner), silence, beat=1.0) == dead


UNREACHABLE = "echo slurm_load_jobs error: Unable to contact slurm controller >&2; exit 1"


@pytest.mark.parametrize(
    ("answer", "here", "silence", "dead"),
    [
        ("echo RUNNING", "7", 1e9, False),  # its file system may be in trouble
        ("echo PENDING", "7", 1e9, False),  # requeued: it goes on itself
        ("true", "7", 2.0, False),  # a node that Slurm has lost may go on
        ("true", "7", 4.0, True),
        ("echo slurm_load_jobs error: Invalid job id specified >&2; exit 1", "7", 4.0, True),
        (UNREACHABLE, "7", 4.0, False),
        (UNREACHABLE, "7", 31.0, True),
        ("echo RUNNING", "12", 2.0, False),  # a requeued job: the one that runs is this process
        ("echo RUNNING", "12", 4.0, True),
    ],
)
def test_a_job_on_another_node(tmp_path, monkeypatch, answer, here, silence, dead):
    program(tmp_path / "squeue", answer)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("SLURM_JOB_ID", here)
    assert is_dead(replace(ELSEWHERE, job="12"), silence, beat=1.0) == dead


def test_without_slurm_nothing_is_known_of_a_job(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert locks.slurm_knows("12") is None


def test_silence_is_measured_by_one_clock(tmp_path, monkeypatch):
    """The lock's own time may be of a machine whose clock is wrong: only that it stands still counts."""
    monkeypatch.setattr(locks, "PATIENCE", 40)
    path = leave(tmp_path, ELSEWHERE)
    os.utime(path, (0, 0))
    stop = threading.Event()

    def live() -> None:
        moved = 0
        while not stop.wait(0.02):
            moved += 1
            os.utime(path, (moved, moved))

    alive = threading.Thread(target=live)
    alive.start()

    def follow() -> None:
        with hold(tmp_path, lambda line: None, PACE):
            pass

    waiter = threading.Thread(target=follow)
    waiter.start()
    waiter.join(4.0)
    assert waiter.is_alive()
    stop.set()
    alive.join()
    waiter.join(60)
    assert not waiter.is_alive()
    assert free(tmp_path)


def test_who_was_taken_for_dead_writes_nothing_more(tmp_path):
    with hold(tmp_path, print, Pace(beat=3600.0)) as held:
        held.check()
        leave(tmp_path, ELSEWHERE, number=2)
        with pytest.raises(TakenOverError, match="another process assumed that this one was dead"):
            held.check()
    assert owner_of(tmp_path)[0] == ELSEWHERE


def test_a_process_that_slept_leaves_when_it_wakes(tmp_path, root):
    first = process(tmp_path, root)
    assert first.stdout.readline() == "held\n"
    first.send_signal(signal.SIGSTOP)
    leave(tmp_path, ELSEWHERE, number=2)
    first.send_signal(signal.SIGCONT)
    assert "continues the run; this one stops" in first.stdout.read()
    first.communicate()
    assert first.returncode == 1


def test_a_file_that_is_no_lock(tmp_path):
    (tmp_path / "1").write_text("{}")
    with (
        pytest.raises(FernnError, match=r"1 is no lock of this version\. .* echo null > "),
        hold(tmp_path, print, PACE),
    ):
        pass
    (tmp_path / "1").write_text("null\n")
    with hold(tmp_path, print, PACE):
        assert owner_of(tmp_path)[0] == myself()


def test_a_file_system_in_trouble_is_no_take_over(tmp_path, monkeypatch):
    def trouble(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with hold(tmp_path, print, PACE) as held:
        with monkeypatch.context() as patched:
            patched.setattr(locks.os, "listdir", trouble)
            time.sleep(4 * PACE.beat)
            assert held.sign_of_life()
        os.utime(tmp_path / "1", (0, 0))
        assert within(lambda: (tmp_path / "1").stat().st_mtime > 0)  # its thread is alive


def test_an_outage_is_not_silence(tmp_path, monkeypatch):
    """The file system stood still for owner and waiter alike: the owner gets its time to show itself."""
    leave(tmp_path, ELSEWHERE)
    monkeypatch.setattr(locks, "PATIENCE", 20)
    looks, read = [], locks._read

    def slow(path: Path) -> object:
        if len(looks) == 1:
            time.sleep(1.5)  # of 1.0 that would be a death
        looks.append(time.monotonic())
        return read(path)

    monkeypatch.setattr(locks, "_read", slow)
    with hold(tmp_path, lambda line: None, PACE):
        assert time.monotonic() - looks[1] > 20 * PACE.beat


def test_of_two_who_open_it_one_has_it(tmp_path):
    with open(tmp_path / "a", "ab") as first, open(tmp_path / "a", "ab") as second:
        assert take(first.fileno())
        assert not take(second.fileno())
        told: list[str] = []

        def wait() -> None:
            told.append("waiting")
            first.close()  # as any death does

        assert take(second.fileno(), wait)
        assert told == ["waiting"]


@pytest.mark.parametrize("number", [*NO_LOCKS, errno.EIO])
def test_what_follows_from_no_locks_is_for_the_caller_to_say(tmp_path, monkeypatch, number):
    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with open(tmp_path / "a", "ab") as file:
        with pytest.raises(OSError, match=os.strerror(number)):
            take(file.fileno())
        if number in NO_LOCKS:
            assert take(file.fileno(), without=True)
            assert not take(file.fileno(), without=False)
        else:
            with pytest.raises(OSError, match=os.strerror(number)):
                take(file.fileno(), without=True)


def test_locks_of_the_dead_are_removed_and_those_of_the_living_are_not(tmp_path, monkeypatch):
    """As on NFS, where a lock that is shared asks for a file that can be read."""
    monkeypatch.delenv("DVC_STAGE", raising=False)
    flock, locks, here = fcntl.flock, tmp_path / "locks", presence._HELD

    def nfs(file: object, operation: int) -> None:
        writes_only = fcntl.fcntl(file, fcntl.F_GETFL) & os.O_ACCMODE == os.O_WRONLY
        if operation & fcntl.LOCK_SH and writes_only:
            raise OSError(errno.EBADF, "Bad file descriptor")
        flock(file, operation)

    monkeypatch.setattr(fcntl, "flock", nfs)
    locks.mkdir()
    enter(tmp_path)
    assert not locks.exists()
    locks.mkdir()
    enter(tmp_path)  # a second one, while the first runs
    here.pop(0).close()  # the first ends; the second still runs
    enter(tmp_path)
    assert locks.exists()
    while here:
        here.pop().close()
    enter(tmp_path)
    assert not locks.exists()
    here.pop().close()
