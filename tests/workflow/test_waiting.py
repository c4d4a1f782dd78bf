"""What a person sees of a real workflow: in a terminal, in a pipe, before it runs, and when a job fails."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
from typing import Any

import pytest

from .conftest import SNAKEMAKE, Project, jobs
from .test_dag import GRNN

MODEL = f"results/micro/runs/{GRNN}/seed0/model.safetensors"
CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def in_terminal(project: Project, width: int, *arguments: str) -> tuple[int, list[str]]:
    """Run Snakemake in a terminal of this width: how it ended, and all lines that ever stood there."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))
    own = {name: value for name, value in project.environment.items() if name not in ("COLUMNS", "LINES", "NO_COLOR")}
    command = [*SNAKEMAKE, *arguments]
    streams: dict[str, Any] = {"stdin": slave, "stdout": slave, "stderr": slave}
    process = subprocess.Popen(command, cwd=project.folder, env=own | {"TERM": "xterm-256color"}, **streams)
    os.close(slave)
    said = b""
    while True:
        try:
            read = os.read(master, 65536)
        except OSError:  # nobody writes any more
            break
        said += read
    os.close(master)
    return process.wait(), re.split(r"[\r\n]+", CONTROL.sub("", said.decode()))


def more_epochs(scale: dict[str, Any]) -> None:
    scale["translation"]["training"]["epochs"] = 30
    scale["translation"]["data"]["train"] = 64


def test_a_terminal_shows_one_view_with_the_losses_of_the_runs(project: Project) -> None:
    project.edit_params(more_epochs)
    status, lines = in_terminal(project, 80, "--", MODEL)
    assert status == 0, lines
    view = lines[lines.index("1 job to do: 1 train; cores: " + str(os.cpu_count())) + 1 :]
    assert max(map(len, view)) <= 80
    assert any(re.search(r"0 of 1 jobs, 0:00:\d\d, about \d+ \w+ left", line) for line in view)
    assert any(
        re.fullmatch(r"  epoch \d+/30  loss 0\.\d+  validation 0\.\d+  .*left.*", line.rstrip()) for line in view
    )
    assert any(re.fullmatch(rf"Training {GRNN}/seed0 +0:00:\d\d", line.rstrip()) for line in view)
    assert "train 1/1" in view
    assert re.fullmatch(r"1 job done in 0:\d\d:\d\d\.", [line for line in view if line][-1])
    assert jobs("\n".join(lines)) == set()


def test_no_line_is_long_without_a_terminal(project: Project) -> None:
    project.edit_params(more_epochs)
    planned = project.snakemake("--dry-run")
    ended = project.snakemake("--", MODEL)
    assert ended.returncode == 0
    assert f"\n  train {GRNN}/seed0: input data.train 8 then, 64 now\n" in planned.stderr
    assert re.search(r"^Would run \d+ jobs: 3 train, 3 evaluate, .*1 tables", planned.stdout, re.MULTILINE)
    for said in (planned.stdout, planned.stderr, ended.stdout, ended.stderr):
        assert max(map(len, said.splitlines()), default=0) <= 160
        assert "\x1b" not in said
    assert re.search(
        rf"^Job \d+: Training {GRNN}/seed0\nJob \d+ done in 0:\d\d:\d\d \(1 of 1\)\n", ended.stderr, re.MULTILINE
    )
    *_, log = sorted((project.folder / ".snakemake/log").glob("*.log"))  # their names are times
    assert "Finished jobid" in log.read_text()


def test_a_failure_names_its_log_and_that_of_snakemake(project: Project) -> None:
    (project.folder / MODEL).unlink()
    (project.folder / "results/micro/datasets/translation/validation-V2T.safetensors").write_bytes(b"")
    (project.folder / "results/micro/datasets/translation/validation-V2T.record.json").unlink()
    digits = project.folder / "resources/mnist-subset/train-labels-idx1-ubyte.gz"
    digits.write_bytes(digits.read_bytes()[:100])
    ended = project.snakemake()
    assert ended.returncode == 1
    log = "results/micro/logs/datasets/translation/digits.log"
    assert re.search(
        r"^Failed: Data set translation/digits \(job \d+, exit status 1\)\n  fernn: .*\n", ended.stderr, re.M
    )
    assert ended.stderr.count("fernn: ") == ended.stderr.count(f"  log: {log}\n") == 1
    (own,) = re.findall(r"^Snakemake's own log: (\S+)$", ended.stderr, re.MULTILINE)
    assert "CalledProcessError" in (project.folder / own).read_text()


@pytest.mark.parametrize("asked", [["--verbose"], ["--printshellcmds"], ["--quiet", "rules"]])
def test_snakemakes_own_words_on_request(project: Project, asked: list[str]) -> None:
    said = project.makes("--dry-run", "--forcerun", "figures", *asked)
    assert "Job stats:" in said
    assert "Would run" not in said
    if asked == ["--verbose"]:  # inputs of rules that only name results are a line of thousands of characters
        assert re.search(r"^Job \d+: All of scale micro$", said, re.MULTILINE)
