import errno
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from fernn.data.download import ALREADY_THERE, DownloadError, Partial, discard_partial, fetch

from .server import CONTENT, NAME, RIGHT, Fault, Server


def test_a_cut_download_is_kept_for_the_next_call(server, target):
    server.faults[NAME] = [Fault(cut=50_000)] * 4
    with pytest.raises(DownloadError, match=r"after 200,000 of 300,000 bytes.*\n.*resumes after 200,000 bytes"):
        fetch([server.url(NAME)], target, [RIGHT])
    fetch([server.url(NAME)], target, [RIGHT])
    assert server.requests[-1].range == "bytes=200000-"


def interrupt(server: Server, target, cut: int = 120_000) -> None:
    """Leave a partial file of `cut` bytes."""
    server.faults[NAME] = [Fault(cut=cut), Fault(status=404)]
    with pytest.raises(DownloadError):
        fetch([server.url(NAME)], target, [RIGHT])
    assert target.with_name(f"{NAME}.partial").stat().st_size == cut
    server.requests.clear()


def test_another_mirror_continues(server, target):
    interrupt(server, target)
    with Server() as mirror:
        mirror.files[NAME] = CONTENT
        fetch([mirror.url(NAME)], target, [RIGHT])
        assert [(request.range, request.status) for request in mirror.requests] == [("bytes=120000-", 206)]


def test_no_range_support_starts_again(server, target):
    interrupt(server, target)
    server.ranges = False
    fetch([server.url(NAME)], target, [RIGHT])
    assert [request.status for request in server.requests] == [200]


@pytest.mark.parametrize("change", [b"", b"longer"])
def test_a_file_that_changed_on_the_server_starts_again(server, target, change):
    server.files[NAME] = bytes(len(CONTENT)) + change
    interrupt(server, target)
    server.files[NAME] = CONTENT
    fetch([server.url(NAME)], target, [RIGHT])
    assert [request.status for request in server.requests] == [206, 200]  # the digest tells


def test_a_mirror_with_other_bytes_that_cuts_each_transfer_is_left(server, target):
    server.files["bad.zip"], server.faults["bad.zip"] = bytes(len(CONTENT)), [Fault(cut=200_000)] * 9
    assert fetch([server.url("bad.zip"), server.url(NAME)], target, [RIGHT]).source == server.url(NAME)
    assert [request.status for request in server.asked("bad.zip")] == [200, 206, 200, 206]


def test_a_range_in_pieces(server, target):
    interrupt(server, target)
    server.faults[NAME] = [Fault(piece=100_000)]
    fetch([server.url(NAME)], target, [RIGHT])
    assert [request.range for request in server.requests] == ["bytes=120000-", "bytes=220000-"]


def test_a_partial_file_that_is_whole_is_only_checked(server, target):
    interrupt(server, target)
    with open(target.with_name(f"{NAME}.partial"), "ab") as file:
        file.write(CONTENT[120_000:])
    fetch([server.url(NAME)], target, [RIGHT])
    assert [request.status for request in server.requests] == [416]


def test_a_partial_file_that_is_too_long_starts_again(server, target):
    interrupt(server, target)
    target.with_name(f"{NAME}.partial").write_bytes(CONTENT + b"more")
    fetch([server.url(NAME)], target, [RIGHT])
    assert [request.status for request in server.requests] == [416, 200]


def test_discard_partial(server, target):
    discard_partial(target)  # nothing there, not even the folder
    interrupt(server, target)
    with Partial.locked(target):
        discard_partial(target)
        assert len(list(target.parent.iterdir())) == 1
    discard_partial(target)
    assert not list(target.parent.iterdir())


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_a_file_system_without_locks(server, target, monkeypatch, number):
    def flock(file: object, flags: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("fcntl.flock", flock)
    fetch([server.url(NAME)], target, [RIGHT])
    assert target.exists()


FETCH = """
import sys
from fernn.data.digests import Digest
from fernn.data.download import fetch
print(fetch([sys.argv[1]], sys.argv[2], [Digest.parse(sys.argv[3])]).source)
"""


def start_fetch(server: Server, target) -> subprocess.Popen:
    command = [sys.executable, "-c", FETCH, server.url(NAME), str(target), str(RIGHT)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def wait_for_partial(target, size: int) -> None:
    partial = target.with_name(f"{NAME}.partial")
    deadline = time.monotonic() + 60
    while not (partial.exists() and partial.stat().st_size >= size):
        assert time.monotonic() < deadline, "the download did not begin"
        time.sleep(0.01)


def test_a_killed_download_resumes(server, target):
    server.faults[NAME] = [Fault(stall=200_000)]
    with start_fetch(server, target) as process:
        wait_for_partial(target, 131_072)
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    assert not target.exists()
    fetch([server.url(NAME)], target, [RIGHT])
    start = int(server.requests[-1].range[6:-1])
    assert 131_072 <= start <= 200_000
    assert server.requests[-1].status == 206


def test_the_second_process_waits_for_the_first(server, target):
    release = threading.Event()
    waited = []

    def hold(name: str, done: int, total: int | None) -> None:
        if not waited:
            waited.append(done)
            assert release.wait(120)

    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(fetch, [server.url(NAME)], target, [RIGHT], progress=hold)
        wait_for_partial(target, 1)
        with start_fetch(server, target) as second:
            assert f"another process is fetching {target}.partial: waiting" in second.stdout.readline()
            assert not target.exists()
            release.set()
            assert second.stdout.read().strip() == ALREADY_THERE
        assert first.result().source == server.url(NAME)
    assert second.returncode == 0
    assert len(server.requests) == 1
