"""What a record says of the machine and of the commit."""

import os
import subprocess
from pathlib import Path

import pytest

from fernn.provenance import environment


def git(folder: Path, *arguments: str) -> str:
    person = ["-c", "user.name=nobody", "-c", "user.email=nobody@localhost"]
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    command = ["git", *person, *arguments]
    return subprocess.run(command, cwd=folder, env=inherited, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository, whose commit is recorded."""
    for name in ("fernn/provenance/environment.py", "fernn/cell.py", "README.md"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("\n")
    monkeypatch.setattr(environment, "PACKAGE", tmp_path / "fernn")
    monkeypatch.setattr(environment, "source_of", Path.read_bytes)  # else each file is read once
    return tmp_path


def test_the_commit_and_what_differs_from_it(checkout: Path) -> None:
    assert environment.environment()["commit"] is None  # no repository
    git(checkout, "init", "--quiet")
    assert environment.environment()["commit"] is None  # nothing is committed
    git(checkout, "add", "--all")
    git(checkout, "commit", "--quiet", "--message=All")
    head = git(checkout, "rev-parse", "HEAD")
    assert environment.environment()["commit"] == {"id": head, "changed": []}
    for name in ("fernn/cell.py", "README.md"):
        (checkout / name).write_text("changed\n")
    assert environment.environment()["commit"] == {"id": head, "changed": ["fernn/cell.py"]}
    git(checkout, "add", "fernn/cell.py")
    assert environment.environment()["commit"] == {"id": head, "changed": ["fernn/cell.py"]}
    (checkout / "fernn/new.py").write_text("untracked\n")
    (checkout / "fernn/provenance/environment.py").unlink()
    changed = ["fernn/cell.py", "fernn/new.py", "fernn/provenance/environment.py"]
    assert environment.environment()["commit"] == {"id": head, "changed": changed}


def test_the_index_is_left_alone(checkout: Path) -> None:
    git(checkout, "init", "--quiet")
    git(checkout, "add", "--all")
    git(checkout, "commit", "--quiet", "--message=All")
    os.utime(checkout / "README.md", (1, 1))  # git would now write down the new time
    before = (checkout / ".git/index").read_bytes()
    assert environment.environment()["commit"] == {"id": git(checkout, "rev-parse", "HEAD"), "changed": []}
    assert (checkout / ".git/index").read_bytes() == before


def test_a_repository_that_cannot_be_read_costs_no_result(checkout: Path) -> None:
    git(checkout, "init", "--quiet")
    git(checkout, "add", "--all")
    git(checkout, "commit", "--quiet", "--message=All")
    for path in (checkout / ".git/objects").rglob("*"):
        if path.is_file():
            path.unlink()
    assert environment.environment()["commit"] is None


def test_the_image_is_told_by_whoever_runs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FERNN_IMAGE", raising=False)
    assert environment.environment()["image"] is None
    monkeypatch.setenv("FERNN_IMAGE", "sha256:0123")
    assert environment.environment()["image"] == "sha256:0123"


def test_what_decides_how_numbers_are_rounded() -> None:
    assert "determinism" not in environment.environment()
    found = environment.environment("cpu")["determinism"]
    assert found["threads"] >= 1
    assert found["instructions"]
