"""Where artifacts lie: in the repository, and on any other machine."""

import getpass
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kept import files_of, outs_of

from .conftest import ROOT, Clone

LIMIT = 10_000_000  # bytes that the repository carries of results of the quick scale, and as many of evidence


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """A real SSH server of this user alone, on this machine alone; its address."""
    program = shutil.which("sshd", path="/usr/sbin:/usr/local/sbin:/usr/bin")
    if program is None:
        message = "no sshd here (Debian, Ubuntu: apt-get install openssh-server)"
        pytest.fail(message) if os.environ.get("CI") == "true" else pytest.skip(message)
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # where sshd of the administrator puts its child in a cage
    for key in ("host", "person"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / key)], check=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (tmp_path / "sshd_config").write_text(
        f"ListenAddress 127.0.0.1\nPort {port}\nHostKey {tmp_path}/host\nAuthorizedKeysFile {tmp_path}/person.pub\n"
        "PidFile none\nUsePAM no\nStrictModes no\nPasswordAuthentication no\nPermitRootLogin prohibit-password\n"
        "Subsystem sftp internal-sftp\n"
    )
    with (tmp_path / "sshd.log").open("w") as log:
        command = [program, "-D", "-e", "-f", str(tmp_path / "sshd_config")]
        running = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        for _ in range(600):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            assert running.poll() is None, (tmp_path / "sshd.log").read_text()
            time.sleep(0.1)
        yield f"ssh://{getpass.getuser()}@127.0.0.1:{port}"
    finally:
        running.terminate()
        running.wait(10)


def test_over_ssh(pulled: Clone, server: str, tmp_path: Path) -> None:
    pulled.dvc("remote", "add", "--default", "lab", f"{server}{tmp_path}/kept")
    pulled.dvc("remote", "modify", "--local", "lab", "keyfile", str(tmp_path / "person"))
    pulled.dvc("push")
    assert list((tmp_path / "kept/files/md5").iterdir())
    before = pulled.results()
    pulled.must("rm", "-r", "results", ".dvc/cache", "artifacts")
    pulled.dvc("pull")
    assert pulled.results() == before
    assert pulled.up_to_date()
    assert pulled.planned() == set()


def test_the_repository_stays_small() -> None:
    sizes = {path.parent.name + path.name: path.stat().st_size for path in (ROOT / "artifacts").glob("files/md5/??/*")}
    outs = [out for file in ROOT.glob("evidence/*.dvc") for out in outs_of(file)]
    evidence = {out["md5"] for out in outs} | {digest for out in outs for digest in files_of(out).values()}
    assert evidence <= sizes.keys()
    for what, digests in (("evidence/", evidence), ("the quick scale", sizes.keys() - evidence)):
        size = sum(sizes[digest] for digest in digests)
        assert size < LIMIT, f"artifacts/ has {size} bytes of {what}; the repository is to carry less than {LIMIT}"


def test_nothing_is_told_to_anybody() -> None:
    config = (ROOT / ".dvc/config").read_text()
    assert "analytics = false" in config
    assert "check_update = false" in config
