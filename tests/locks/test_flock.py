"""The system's locks on open files, and what follows where there are none."""

import errno
import fcntl
import os

import pytest

from fernn.locks.flock import NO_LOCKS, in_place, take
from workflow import presence
from workflow.presence import enter


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


def test_a_file_that_lost_its_name(tmp_path):
    with open(tmp_path / "a", "ab") as file:
        assert in_place(file.fileno(), tmp_path / "a")
        os.replace(tmp_path / "a", tmp_path / "b")
        assert not in_place(file.fileno(), tmp_path / "a")
        (tmp_path / "a").touch()
        assert not in_place(file.fileno(), tmp_path / "a")


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
    enter(tmp_path)  # a second one, while the first is at work
    here.pop(0).close()  # the first ends; the second is at work still
    enter(tmp_path)
    assert locks.exists()
    while here:
        here.pop().close()
    enter(tmp_path)
    assert not locks.exists()
    here.pop().close()
