"""The command line: what a person meets first."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def fernn(*arguments: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "fernn.cli", *arguments], cwd=cwd, capture_output=True, text=True)


def test_help_lists_the_stages() -> None:
    ended = fernn("--help")
    assert ended.returncode == 0
    for stage in ("fetch", "dataset", "train", "evaluate", "tables", "figures", "claims"):
        assert stage in ended.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["train", "translation/V2T/FERNN-V9T/lr0.1/seed0"], "no run of scale paper"),
        (["train", "translation/V2T/FERNN-V2T/lr0.0001/seed0", "--scale", "mid"], "scale 'mid' is not known"),
        (["train", "--params", "nowhere.yaml", "translation/V2T/G-RNN/lr1/seed0"], "nowhere.yaml: no such file"),
        (["dataset", "translation/best-V2T", "--scale", "quick"], "no such data set"),
        (["dataset", "sound/digits", "--scale", "quick"], "'sound': this version can run kth, rotation, translation."),
        (["dataset", "flowing_digits/digits"], "'flowing_digits': this version can run kth, rotation, translation."),
        (["fetch", "mnist", "--scale", "quick"], "nothing to fetch"),
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
