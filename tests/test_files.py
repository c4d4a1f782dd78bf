"""Files that appear whole or not at all, and of several that would be written, one."""

import errno
import os
import threading
from pathlib import Path

import pytest

from fernn.errors import FernnError
from fernn.files import atomic, remove_leftovers, sha256, write_text
from fernn.locks import write_once
from fernn.provenance.records import read_record


def test_nothing_is_left_of_what_failed(tmp_path: Path) -> None:
    write_text(tmp_path / "a", "before")
    with pytest.raises(ZeroDivisionError), atomic(tmp_path / "a") as temporary:
        temporary.write_text("half")
        raise ZeroDivisionError
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a").read_text() == "before"


@pytest.mark.parametrize(("write", "naming"), [(write_text, "replace"), (write_once, "link")])
def test_it_is_on_the_disk_before_it_has_its_name(tmp_path, monkeypatch, write, naming) -> None:
    """Else a loss of power may leave the name with nothing in it."""
    steps, fsync, name = [], os.fsync, getattr(os, naming)

    def brought(descriptor: int) -> None:
        fsync(descriptor)
        steps.append(("fsync", os.fstat(descriptor).st_ino, os.fstat(descriptor).st_size))

    def named(source: Path, target: Path) -> None:
        steps.append((naming, source.stat().st_ino, source.stat().st_size))
        name(source, target)

    monkeypatch.setattr(os, "fsync", brought)
    monkeypatch.setattr(os, naming, named)
    write(tmp_path / "a", "abc")
    inode = (tmp_path / "a").stat().st_ino
    assert steps == [("fsync", inode, 3), (naming, inode, 3)]


@pytest.mark.parametrize("read", [sha256, read_record])
@pytest.mark.parametrize("device", ["/dev/zero", "pipe"])
def test_what_never_ends_is_not_read(tmp_path: Path, read, device: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(device)
    with pytest.raises(OSError, match=r"a device or a pipe, where a file is expected: .*link"):
        read(tmp_path / "link")


def test_of_many_one_writes(tmp_path: Path) -> None:
    start, wrote = threading.Barrier(16), []

    def work(number: int) -> None:
        start.wait()
        if write_once(tmp_path / "a", str(number)):
            wrote.append(str(number))

    threads = [threading.Thread(target=work, args=[number]) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [(tmp_path / "a").read_text()] == wrote
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_an_answer_that_was_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A network file system retries and finds that the file exists: it is its own."""
    link = os.link

    def twice(source: Path, target: Path) -> None:
        link(source, target)
        link(source, target)

    monkeypatch.setattr(os, "link", twice)
    assert write_once(tmp_path / "a", "abc")
    assert (tmp_path / "a").read_text() == "abc"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


@pytest.mark.parametrize("number", [errno.EPERM, errno.EOPNOTSUPP])
def test_a_file_system_without_hard_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    def refuse(source: Path, target: Path) -> None:
        raise OSError(number, os.strerror(number), str(source), None, str(target))

    monkeypatch.setattr(os, "link", refuse)
    with pytest.raises(FernnError, match=r"has no hard links .*keep the project on one that has them"):
        write_once(tmp_path / "a", "abc")
    assert not [*tmp_path.iterdir()]


def test_the_usual_mode(tmp_path: Path) -> None:
    """Those who share a folder can read them."""
    before = os.umask(0o027)
    try:
        write_text(tmp_path / "a", "")
        write_once(tmp_path / "b", "")
    finally:
        os.umask(before)
    assert [(tmp_path / name).stat().st_mode & 0o777 for name in "ab"] == [0o640, 0o640]


def test_what_a_killed_process_left_is_removed(tmp_path):
    for name in (".metrics.csv.9mki94fy.partial", "metrics.csv", ".other.csv.1.partial"):
        (tmp_path / name).touch()
    remove_leftovers(tmp_path / "metrics.csv")
    assert sorted(path.name for path in tmp_path.iterdir()) == [".other.csv.1.partial", "metrics.csv"]
