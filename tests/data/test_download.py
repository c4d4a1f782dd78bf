import errno
import gzip
import hashlib
import io
import os
import time

import pytest
from rich.console import Console

from fernn.data.digests import Digest, WrongFileError
from fernn.data.download import ALREADY_THERE, DownloadError, Partial, fetch, show_progress
from fernn.errors import FernnError

from .server import CONTENT, NAME, RIGHT, SHA1, Fault

OTHER = Digest("sha1", "0" * 40)


def test_fetches_once(server, target):
    seen = []
    result = fetch([server.url(NAME)], target, [OTHER, SHA1], progress=lambda *told: seen.append(told))
    assert result == (server.url(NAME), RIGHT)
    assert target.read_bytes() == CONTENT
    assert seen[-1] == (NAME, len(CONTENT), len(CONTENT))
    assert [told[1] for told in seen] == sorted(told[1] for told in seen)
    assert fetch([server.url(NAME)], target, [SHA1]) == (ALREADY_THERE, RIGHT)
    assert len(server.requests) == 1


def test_it_is_on_the_disk_before_it_has_its_name(server, target, monkeypatch):
    """Else a loss of power may leave the name with nothing in it."""
    steps, fsync, replace = [], os.fsync, os.replace

    def brought(descriptor):
        fsync(descriptor)
        steps.append(("fsync", os.fstat(descriptor).st_ino, os.fstat(descriptor).st_size))

    def named(source, goal):
        steps.append(("replace", source.stat().st_ino, source.stat().st_size))
        replace(source, goal)

    monkeypatch.setattr(os, "fsync", brought)
    monkeypatch.setattr(os, "replace", named)
    fetch([server.url(NAME)], target, [RIGHT])
    inode = target.stat().st_ino
    assert [step for step in steps if step[1] == inode] == [(of, inode, len(CONTENT)) for of in ("fsync", "replace")]


def test_a_wrong_file_is_left_alone(server, target):
    target.parent.mkdir()
    target.write_bytes(b"mine")
    with pytest.raises(WrongFileError, match=f"{NAME} is not the expected file: found sha256:.*rm ") as caught:
        fetch([server.url(NAME)], target, [RIGHT])
    mine = hashlib.sha256(b"mine").hexdigest()
    assert mine in str(caught.value)
    assert RIGHT.value in str(caught.value)
    assert caught.value.found == Digest("sha256", mine)
    assert target.read_bytes() == b"mine"
    assert not server.requests
    target.unlink()


@pytest.mark.parametrize("fault", [Fault(cut=100_000), Fault(stall=100_000)])
def test_a_broken_transfer_resumes(server, target, fault):
    server.faults[NAME] = [fault, fault]
    fetch([server.url(NAME)], target, [RIGHT])
    first, second, third = server.requests
    assert (first.range, second.status, third.status) == (None, 206, 206)
    # a stalled read may lose what had not been handed over yet, a cut one may not
    kept = [int(request.range[6:-1]) for request in (second, third)]
    assert kept == [100_000, 200_000] if fault.cut else 0 < kept[0] <= 100_000 < kept[1]


@pytest.mark.parametrize("fault", [Fault(status=503), Fault(status=429), Fault(drop=True), Fault(stall=0)])
def test_a_passing_trouble_is_waited_out(server, target, fault):
    server.faults[NAME] = [fault] * 3
    fetch([server.url(NAME)], target, [RIGHT])
    assert len(server.requests) == 4


def test_the_wait_that_the_server_asks_for_is_bounded(server, target):
    server.faults[NAME] = [Fault(status=429, headers={"Retry-After": "3600"})]
    began = time.monotonic()
    fetch([server.url(NAME)], target, [RIGHT])
    assert time.monotonic() - began < 60


def test_the_next_mirror_at_once(server, target):
    mirrors = ["http://127.0.0.1:9/boxing.zip", server.url("gone.zip"), server.url(NAME)]
    assert fetch(mirrors, target, [RIGHT]).source == mirrors[2]
    assert [(request.path, request.status) for request in server.requests] == [("/gone.zip", 404), (f"/{NAME}", 200)]


def test_the_loopback_is_reached_without_a_proxy(server, target, monkeypatch):
    away = f"http://example.invalid/{NAME}"
    server.files[away] = CONTENT  # as a proxy
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, server.base)
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    fetch([server.url("gone.zip"), server.url(NAME)], target, [RIGHT])
    target.unlink()
    fetch([away], target, [RIGHT])
    assert [request.path for request in server.requests] == ["/gone.zip", f"/{NAME}", away]


def test_wrong_bytes_lead_to_the_next_mirror(server, target):
    server.files["bad.zip"] = CONTENT
    server.faults["bad.zip"] = [Fault(garble=True)]
    mirrors = [server.url("bad.zip"), server.url(NAME)]
    assert fetch(mirrors, target, [RIGHT]).source == mirrors[1]
    assert len(server.asked("bad.zip")) == 1


def test_the_error_lists_every_source(server, target):
    server.files["bad.zip"] = b"bad"
    server.faults[NAME] = [Fault(status=500)] * 4
    mirrors = ["http://127.0.0.1:9/x", server.url("gone.zip"), server.url("bad.zip"), server.url(NAME)]
    with pytest.raises(DownloadError) as caught:
        fetch(mirrors, target, [SHA1, OTHER])
    failures = caught.value.failures
    assert [failure.source for failure in failures] == mirrors
    for failure, reason in zip(failures, ["no connection", "HTTP 404", "found sha1:", "HTTP 500"], strict=True):
        assert reason in failure.reason
        assert f"{failure.source}: {failure.reason}" in str(caught.value)
    assert failures[2].found == Digest("sha256", hashlib.sha256(b"bad").hexdigest())
    assert str(SHA1) in str(caught.value)
    assert not list(target.parent.iterdir())


def test_unknown_size(server, target):
    server.sizes = False
    seen = []
    fetch([server.url(NAME)], target, [RIGHT], progress=lambda *told: seen.append(told))
    assert seen[-1] == (NAME, len(CONTENT), None)
    target.unlink()
    server.faults[NAME] = [Fault(cut=1000)]  # only the digest can tell
    with pytest.raises(DownloadError, match=r"found .* \(1,000 bytes\)"):
        fetch([server.url(NAME)], target, [RIGHT])
    assert not list(target.parent.iterdir())


def test_gunzip(server, target):
    packed = gzip.compress(CONTENT)
    server.files.update(
        {"good": packed, "short": packed[:-20], "plain": CONTENT, "long": gzip.compress(CONTENT + b"x")}
    )
    mirrors = [server.url(name) for name in ("short", "plain", "long", "good")]
    with pytest.raises(DownloadError) as caught:
        fetch(mirrors[:3], target, [RIGHT], gunzip=True, size=len(CONTENT))
    reasons = [failure.reason for failure in caught.value.failures]
    assert "not a whole gzip file" in reasons[0]
    assert "not a whole gzip file" in reasons[1]
    assert reasons[2] == "it has more than the expected 300,000 bytes"
    assert fetch(mirrors, target, [RIGHT], gunzip=True, size=len(CONTENT)) == (mirrors[3], RIGHT)


def test_a_folder_that_cannot_be_written(server, target, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(FernnError, match=r"cannot write .*file/x.zip"):
        fetch([server.url(NAME)], tmp_path / "file" / "x.zip", [RIGHT])
    target.parent.mkdir()


def test_a_full_disk(server, target, monkeypatch):
    def write(self: Partial, chunk: bytes) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Partial, "write", write)
    with pytest.raises(FernnError, match=r"No space left on device.*Make room"):
        fetch([server.url(NAME)], target, [RIGHT])
    assert not list(target.parent.iterdir())


@pytest.mark.parametrize("text", ["sha256:12", "sha256:" + "g" * 64, "crc:12", "shake_128:", ""])
def test_malformed_digest(text):
    with pytest.raises(ValueError, match=r"no sha256 digest|unsupported hash type|no shake_128 digest"):
        Digest.parse(text)


@pytest.mark.parametrize("terminal", [False, True])
def test_progress(terminal):
    """Two downloads, of known and of unknown size: few plain lines in a log, bars on a terminal."""
    console = Console(file=io.StringIO(), force_terminal=terminal, width=40, color_system=None)
    with show_progress(console) as progress:
        for done in range(0, 500_001, 1000):
            progress("walking.zip", done, 500_000)
        progress("00sequences.txt [1]", 100, None)
    shown = console.file.getvalue()
    if terminal:
        assert "walking.zip" in shown
        assert "━" in shown
    else:
        assert shown.splitlines() == [
            "walking.zip: 0 bytes of 500.0 kB",
            "walking.zip: 500.0 kB of 500.0 kB",
            "00sequences.txt [1]: 100 bytes of unknown size",
        ]
