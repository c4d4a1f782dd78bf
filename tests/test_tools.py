"""Linters, formatters, types and the direction of imports hold for the whole project."""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

COMMANDS = {
    "ruff": "ruff check .",
    "ruff-format": "ruff format --check .",
    "mypy": "mypy",
    "imports": "lint-imports --no-cache",
    "snakefmt": "snakefmt --check Snakefile workflow",
    "hadolint": "hadolint --failure-threshold warning docker/Dockerfile",
}


@pytest.mark.parametrize("name", COMMANDS)
def test_tool_finds_nothing(name: str) -> None:
    program, *arguments = COMMANDS[name].split()
    assert shutil.which(program), f"{program} is not installed: `make setup` installs it"
    ended = subprocess.run([program, *arguments], cwd=ROOT, capture_output=True, text=True)
    assert ended.returncode == 0, f"{COMMANDS[name]}\n{ended.stdout}{ended.stderr}"
