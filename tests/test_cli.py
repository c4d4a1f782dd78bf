"""The command line: what a person meets first, and what is said when the machine is at fault: a sentence."""

import errno
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import typer
import yaml

from fernn import __version__, cli
from fernn.cli import app
from fernn.errors import explain
from fernn.experiments import load_params
from fernn.files import atomic
from fernn.provenance.records import Record, write_record
from tests.faults.mutations import MUTATIONS

ROOT = Path(__file__).parent.parent


def fernn(*arguments: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "fernn.cli", *arguments], cwd=cwd, capture_output=True, text=True)


def test_help_lists_what_a_person_calls() -> None:
    ended = fernn("--help")
    assert ended.returncode == 0
    for stage in ("fetch", "dataset", "train", "evaluate", "tables", "figures", "claims"):
        assert f" {stage} " in ended.stdout
    for internal in ("standins", "dependencies"):  # the workflow and DVC call these
        assert internal not in ended.stdout
    assert "--planned" not in fernn("train", "--help").stdout


def test_the_help_of_scale_names_those_of_the_readme_and_the_default() -> None:
    (option,) = [each for each in typer.main.get_command(app).commands["train"].params if each.name == "scale"]
    scales = re.findall(r"^\| `(\w+)`(?: \(default\))? \|", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert {"quick", "paper"} < {*scales} <= {*yaml.safe_load((ROOT / "params.yaml").read_text())["scales"], "paper"}
    assert all(re.search(rf"\b{scale}\b", option.help.split(".")[0]) for scale in scales)
    assert f"which is {load_params(ROOT / 'params.yaml').scale} there" in option.help


@pytest.mark.parametrize("command", ["plan", "doctor"])
def test_the_scale_that_nobody_named_is_named(command: str) -> None:
    assert fernn(command).stderr == "Scale paper, the default of params.yaml; --scale chooses another, such as quick.\n"
    assert fernn(command, "--scale", "quick").stderr == ""


def test_the_version() -> None:
    assert fernn("--version").stdout == f"fernn {__version__}\n"


def test_a_shell_completes_commands() -> None:
    script = "import sys; sys.argv = ['fernn']; from fernn.cli import main; main()"
    asked = {**os.environ, "_FERNN_COMPLETE": "complete_bash", "COMP_WORDS": "fernn ev", "COMP_CWORD": "1"}
    ended = subprocess.run([sys.executable, "-c", script], env=asked, cwd=ROOT, capture_output=True, text=True)
    assert ended.stdout.split() == ["evaluate"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["train", "translation/V2T/FERNN-V9T/lr0.1/seed0"], "no run of scale paper"),
        (["train", "translation/V2T/FERNN-V2T/lr0.0001/seed0", "--scale", "mid"], "scale 'mid' is not known"),
        (["train", "--params", "nowhere.yaml", "translation/V2T/G-RNN/lr1/seed0"], "nowhere.yaml: no such file"),
        (["dataset", "translation/best-V2T", "--scale", "quick"], "no such data set"),
        (
            ["dataset", "sound/digits", "--scale", "quick"],
            "'sound': this version can run collision, kth, rotation, translation.",
        ),
        (
            ["dataset", "flowing_digits/digits"],
            "'flowing_digits': this version can run collision, kth, rotation, translation.",
        ),
        (["fetch", "mnist", "--scale", "quick"], "nothing to fetch"),
        (
            ["animate", "kth/V2T/G-RNN/lr0.003/seed0", "--scale", "quick"],
            "kth recognizes actions and predicts no frames",
        ),
        (
            ["animate", "translation/V2T/G-RNN/lr0.0001/seed0"],
            "is not trained: results/paper/runs/translation/V2T/G-RNN",
        ),
    ],
)
def test_a_mistake_is_one_message(arguments: list[str], said: str) -> None:
    ended = fernn(*arguments)
    assert ended.returncode == 1
    assert ended.stderr.startswith("fernn: ")
    assert said in ended.stderr
    assert "Traceback" not in ended.stderr


def test_claims_are_told_while_runs_are_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    ended = fernn("claims", "--scale", "paper", "--params", str(ROOT / "params.yaml"), cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    # those that need no run; of all others it is said what is missing
    assert re.search(r"\d+ claims: 3 reproduced, 0 not reproduced, 0 inconclusive, \d+ not run\.", ended.stdout)
    assert "FERNN-V2T on V2T is not finished" in ended.stdout
    assert not list(tmp_path.iterdir())


def test_a_missing_input_names_what_makes_it(tmp_path: Path) -> None:
    run = fernn("runs", "--scale", "quick").stdout.splitlines()[0]
    ended = fernn("evaluate", run, "--scale", "quick", "--params", str(ROOT / "params.yaml"), cwd=tmp_path)
    assert ended.returncode == 1
    assert "is missing" in ended.stderr
    assert "snakemake" in ended.stderr


def of_files(number: int, *names: str) -> OSError:
    return OSError(number, os.strerror(number), *names)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (of_files(errno.ENOSPC, "results/a"), "results/a: no space left on device. Make room there, then run the same"),
        (of_files(errno.EDQUOT, "a"), "a: disk quota exceeded. Make room there"),
        (of_files(errno.EROFS, "a"), "a: read-only file system. Run it as a user who may, or elsewhere"),
        (of_files(errno.EACCES, "a"), "a: permission denied. Run it as a user who may"),
        (of_files(errno.EIO), "input/output error."),
        (of_files(errno.ENOTDIR, "a/b"), "a/b: not a directory."),
        (MemoryError(), "not enough memory: MemoryError. Take smaller sizes in params.yaml"),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"), "not enough memory: ["),
        (torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate\nmore"), "not enough memory: CUDA out of"),
    ],
)
def test_it_is_told_in_a_sentence(error, said, monkeypatch, capsys) -> None:
    assert explain(error).startswith(said)

    def app() -> None:
        raise error

    monkeypatch.setattr(cli, "app", app)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 1
    assert capsys.readouterr().err == f"fernn: {explain(error)}\n"


@pytest.mark.parametrize("error", [ValueError("a"), RuntimeError("shape"), KeyError("a"), OSError("without a number")])
def test_a_fault_of_the_code_keeps_its_traceback(error, monkeypatch) -> None:
    assert explain(error) is None

    def app() -> None:
        raise error

    monkeypatch.setattr(cli, "app", app)
    with pytest.raises(type(error)):
        cli.main()


def test_a_full_disk_is_named_by_the_file(tmp_path) -> None:
    """A write that fails does not know the name of what it writes."""
    with pytest.raises(OSError, match="No space left") as caught, atomic(tmp_path / "a"):
        raise of_files(errno.ENOSPC)
    assert caught.value.filename == str(tmp_path / "a")
    assert list(tmp_path.iterdir()) == []


def test_nobody_reads_on(root) -> None:
    """`fernn params --schema | head -1`."""
    command = [sys.executable, "-m", "fernn.cli", "params", "--schema"]
    process = subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    with process:
        process.stdout.close()
        told = process.stderr.read()
    assert told == ""


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.guard)
def test_a_guard_stands_where_the_mutation_check_looks_for_it(root, mutation):
    """`make mutations` takes minutes; an edit that moves a guard away from it is seen here at once."""
    assert (root / mutation.file).read_text().count(mutation.here) == 1


def test_a_record_does_not_steer_the_terminal(tmp_path: Path) -> None:
    empty = dict.fromkeys(("lineage", "started", "ended"), "") | {name: {} for name in ("inputs", "files", "outputs")}
    said = {"stage": "train", "name": "\x1b[2Jrun", "scale": "quick", "environment": {"\x1b]0;title\x07": 1}}
    write_record(tmp_path / "results/quick/elsewhere/record.json", Record(**empty, **said, details={}))
    ended = fernn("verify", "results/quick", "--params", str(ROOT / "params.yaml"), cwd=tmp_path)
    assert "\x1b" not in ended.stdout + ended.stderr
    assert r"outdated: train \x1b[2Jrun" in ended.stdout
