"""Linters, formatters, types and the direction of imports hold for the whole project, wherever they are called."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parent.parent
RECIPE = re.search(r"^lint:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(), re.MULTILINE)
assert RECIPE, "Makefile has no target lint"
COMMANDS = re.findall(r"^\t@\$\(IN_VENV\) (.+)$", RECIPE[1], re.MULTILINE)


def test_there_are_tools() -> None:
    tools = {"ruff", "mypy", "lint-imports", "snakefmt", "codespell", "hadolint"}
    assert {command.split()[0] for command in COMMANDS} == tools


@pytest.mark.parametrize("command", COMMANDS)
def test_tool_finds_nothing(command: str) -> None:
    program, *arguments = command.split()
    assert shutil.which(program), f"{program} is not installed: `make setup` installs it"
    ended = subprocess.run([program, *arguments], cwd=ROOT, capture_output=True, text=True)
    assert ended.returncode == 0, f"{command}\n{ended.stdout}{ended.stderr}"


def test_hooks_call_the_same_commands() -> None:
    (local,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    assert local["repo"] == "local"
    assert [hook["entry"] for hook in local["hooks"]] == [f".venv/bin/{command}" for command in COMMANDS]
    for hook in local["hooks"]:
        assert (hook["language"], hook["pass_filenames"]) == ("system", False)


def test_the_checks_of_the_repository_are_those_of_the_script() -> None:
    (job,) = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())["jobs"].values()
    (command,) = [step["run"] for step in job["steps"] if "run" in step]
    script = ROOT / command.split()[-1]
    assert script.stat().st_mode & 0o111, f"{script} cannot be executed"
    targets = set(re.findall(r"\bmake ([a-z-]+)", script.read_text()))
    assert targets == {"check-locks", "verify", "test-all", "test-slurm", "test-image"}
