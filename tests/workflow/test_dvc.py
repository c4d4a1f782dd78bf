"""What else DVC does with the pipeline: remotes, experiments, profiles, plots, another scale."""

import getpass
import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kept import files_of, outs_of

from .conftest import ROOT, Clone, jobs
from .test_dag import run_and_after

LIMIT = 10_000_000  # bytes in the repository of the quick scale, and of each set of evidence


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


def test_another_project_takes_results(tmp_path: Path) -> None:
    """As docs/results.md says, with this repository's configuration of DVC: from a clone, or by its address."""
    source, other = Clone(tmp_path / "fernn"), Clone(tmp_path / "other")
    for each in (source, other):
        each.folder.mkdir()
        each.git("init", "--quiet", "--initial-branch=main")
        each.dvc("init", "--quiet")
    shutil.copy(ROOT / ".dvc/config", source.folder / ".dvc/config")
    (source.folder / "results").mkdir()
    (source.folder / "results/table").write_text("a table")
    source.dvc("add", "--quiet", "results")
    source.dvc("push")
    source.git("add", "--all")
    source.git("commit", "--quiet", "--message=Results")
    artifacts = f"url={source.folder}/artifacts"
    other.dvc("get", "../fernn", "results", "--out", "got")
    other.dvc("import", "../fernn", "results", "--out", "linked")
    other.dvc("import", f"file://{source.folder}/.git", "results", "--out", "by-address", "--remote-config", artifacts)
    for folder in ("got", "linked", "by-address"):
        assert (other.folder / folder / "table").read_text() == "a table"


def test_the_repository_stays_small() -> None:
    sizes = {path.parent.name + path.name: path.stat().st_size for path in (ROOT / "artifacts").glob("files/md5/??/*")}
    parts = {
        file.name: {digest for out in outs_of(file) for digest in (out["md5"], *files_of(out).values())}
        for file in ROOT.glob("evidence/*.dvc")
    }
    evidence = set().union(*parts.values())
    assert evidence <= sizes.keys()
    for what, digests in {**parts, "the quick scale": sizes.keys() - evidence}.items():
        size = sum(sizes[digest] for digest in digests)
        assert size < LIMIT, f"artifacts/ has {size} bytes of {what}; the repository is to carry less than {LIMIT}"


def test_nothing_is_told_to_anybody() -> None:
    config = (ROOT / ".dvc/config").read_text()
    assert "analytics = false" in config
    assert "check_update = false" in config


RATE = "scales.micro.translation.models.G-RNN.learning_rate"


def test_an_experiment_in_the_workspace(pulled: Clone) -> None:
    said = pulled.dvc("exp", "run", "tables@micro", "--name", "faster", "--set-param", f"{RATE}=0.025")
    not_asked = {"Drawing the figures", "Composing the report"}
    assert jobs(said) == run_and_after("translation/V2T/G-RNN/lr0.025/seed0") - not_asked
    shown = pulled.dvc("exp", "show", "--csv")
    assert re.search(r"faster.*0\.025", shown)


def test_experiments_in_a_queue(pulled: Clone) -> None:
    pulled.dvc("exp", "run", "tables@micro", "--queue", "--name", "slower", "--set-param", f"{RATE}=0.005")
    before = pulled.results()
    pulled.dvc("exp", "run", "--run-all")
    assert pulled.results() == before
    pulled.dvc("exp", "apply", "slower")
    assert (pulled.folder / "results/micro/runs/translation/V2T/G-RNN/lr0.005/seed0/model.safetensors").exists()
    assert pulled.planned() == {"Drawing the figures", "Composing the report"}


def test_another_profile_of_snakemake(pulled: Clone) -> None:
    profile = pulled.folder / "elsewhere/config.yaml"
    profile.parent.mkdir()
    profile.write_text("printshellcmds: true\n")
    (pulled.folder / "results/micro/tables/table1.md").unlink()
    said = pulled.dvc("repro", "report@micro", SNAKEMAKE_PROFILE="elsewhere")
    assert "fernn tables --scale micro" in re.sub(r"^> .*$", "", said, flags=re.MULTILINE)
    assert pulled.up_to_date()


def test_plots_need_no_network(pulled: Clone) -> None:
    pulled.dvc("plots", "show")
    page = (pulled.folder / "dvc_plots/index.html").read_text()
    assert "translation-V2T-validation_loss.png" in page
    assert "://" not in re.sub(r"http://www\.w3\.org\S*", "", page)
    assert pulled.git("status", "--porcelain") == ""


def test_another_scale_is_one_word_away(clone: Clone) -> None:
    stages = clone.folder / "dvc.yaml"
    stages.write_text(stages.read_text().replace("kept: [micro]", "kept: [micro, paper]"))
    assert "tables@paper" in clone.dvc("stage", "list", "--name-only").split()
    assert "deleted:            results/paper/tables" in clone.dvc("status", "tables@paper")
