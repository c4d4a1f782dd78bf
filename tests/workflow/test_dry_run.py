"""Commands that only report leave results and the DVC cache as they are: bytes, times, inodes, modes and links."""

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from fernn.files import sha256

from .conftest import SNAKEMAKE, Clone, Project, jobs
from .test_dag import REPORT, V1

DRY_RUN = [*SNAKEMAKE, "--dry-run"]
REPORTING = [
    DRY_RUN,
    ["fernn", "verify", "results/micro"],
    ["fernn", "plan", "--scale", "micro"],
    ["fernn", "doctor", "--scale", "micro"],
    ["fernn", "claims", "--scale", "micro"],
]
FOUND_SOMETHING = {"verify", "doctor"}  # they exit with 1: results are outdated
CACHES = {".git", ".dvc/tmp", "__pycache__"}
OWNER, OTHER, GROUP = 4201, 4202, 4200  # users and their group, which need no entry in /etc/passwd

# Loaded by every Python at its start: refuses to write under some folders, and lists all attempts in a file.
GUARD = """
import errno, os, sys

FOLDERS, ATTEMPTS = os.environ["GUARDED"].split(os.pathsep), os.environ["ATTEMPTS"]
EVENTS = {"os." + name for name in "chmod chown link mkdir remove rename rmdir symlink truncate utime".split()}
WRITE = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC


def guard(event, arguments):
    if event == "open":
        paths = arguments[:1] if (arguments[2] or 0) & WRITE else ()
    else:
        paths = arguments if event in EVENTS else ()
    for path in paths:
        if not isinstance(path, (str, bytes, os.PathLike)):
            continue
        path = os.path.abspath(os.fsdecode(path))
        if any(path == folder or path.startswith(folder + os.sep) for folder in FOLDERS):
            with open(ATTEMPTS, "a") as file:
                print(event, path, file=file)
            raise PermissionError(errno.EPERM, "not the owner", path)


sys.addaudithook(guard)
"""


def snapshot(folder: Path) -> dict[str, tuple[object, ...]]:
    """Inode, mode, number of links, time and content of everything in a project but caches and temporary files.

    Caches are made in folders of sources, so the times of folders count only in results and in the cache of DVC.
    """
    found = {}
    for top, folders, files in os.walk(folder):
        here = Path(top).relative_to(folder)
        folders[:] = [name for name in folders if not CACHES & {name, (here / name).as_posix()}]
        of_results = here.is_relative_to("results") or here.is_relative_to(".dvc/cache")
        for name in [*folders, *files]:
            path = Path(top, name)
            status = path.lstat()
            kept = [status.st_ino, status.st_mode]
            if of_results or not path.is_dir():
                kept += [status.st_nlink, status.st_mtime_ns]
            content = path.readlink() if path.is_symlink() else sha256(path) if path.is_file() else None
            found[(here / name).as_posix()] = (*kept, content)
    return found


def outdate(clone: Clone) -> None:
    """Edit code of all models, and a learning rate."""
    model = clone.folder / "fernn/models/predictor.py"
    model.write_text(model.read_text() + "\nX = 1\n")
    clone.edit_params(lambda scale: scale["translation"]["models"]["G-RNN"].update(learning_rate=0.025))


def guarded(clone: Clone, scratch: Path) -> dict[str, str]:
    """Variables that make every Python refuse to write results and the cache, as for a user who owns neither."""
    (scratch / "sitecustomize.py").write_text(GUARD)
    return {
        "GUARDED": os.pathsep.join(str(clone.folder / name) for name in ("results", ".dvc/cache")),
        "ATTEMPTS": str(scratch / "attempts"),
        "PYTHONPATH": os.pathsep.join([str(clone.folder), str(scratch)]),
    }


def report(clone: Clone, command: list[str], prefix: list[str], **more: str) -> str:
    """Run a command that only reports; it must do so without an error. What it printed."""
    ended = clone.run(*prefix, *command, **more)
    said = ended.stdout + ended.stderr
    assert ended.returncode in ((0, 1) if FOUND_SOMETHING & {*command} else (0,)), f"{command}\n{said}"
    assert not re.search("Traceback|[Pp]ermission|not permitted|not the owner", said), f"{command}\n{said}"
    return said


def test_a_dry_run_changes_nothing(pulled: Clone, tmp_path: Path) -> None:
    outdate(pulled)
    before = snapshot(pulled.folder)
    said = report(pulled, DRY_RUN, [], **guarded(pulled, tmp_path))
    assert {f"Training {V1}/seed0", f"Evaluating {V1}/seed0"} | REPORT <= jobs(said)
    assert not (tmp_path / "attempts").exists()
    assert snapshot(pulled.folder) == before


@pytest.mark.parametrize("option", ["--summary", "--dag", "--rulegraph"])
def test_what_lists_jobs_needs_no_cores(fresh: Project, option: str) -> None:
    assert "standins" in fresh.must("snakemake", "--config", "scale=quick", option)


def test_touch_is_refused(fresh: Project) -> None:
    ended = fresh.snakemake("--touch")
    assert ended.returncode == 1
    assert "--touch has no effect here: records decide" in ended.stderr
    assert "Nothing was begun." in ended.stderr


def test_reports_change_nothing(clone: Clone) -> None:
    clone.link_to_cache("symlink")
    outdate(clone)
    before = snapshot(clone.folder)
    for command in [*REPORTING, ["dvc", "status"]]:
        report(clone, command, [])
        assert snapshot(clone.folder) == before, command


@pytest.fixture
def shared() -> Iterator[Path]:
    """A folder that other users can reach; those of pytest are private."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.mark.parametrize("writable", [False, True], ids=["read-only", "group-writable"])
def test_a_second_user_of_the_group(clone: Clone, shared: Path, writable: bool) -> None:
    """As root with a real second user; else every attempt to write is refused to the only one."""
    clone.link_to_cache("hardlink")
    outdate(clone)
    clone.must("cp", "--archive", str(clone.folder), str(shared / "project"))
    clone, home = Clone(shared / "project"), shared / "home"
    home.mkdir()
    own = dict.fromkeys(("HOME", "TMPDIR", "XDG_CACHE_HOME"), str(home))
    more = {**guarded(clone, home), **own, "LOGNAME": "other"}  # Snakemake asks for a name
    prefix = []
    if os.geteuid() == 0:
        for path in (clone.folder, *clone.folder.rglob("*")):
            if path.is_dir():
                path.chmod(0o775 if writable else 0o755)
        clone.must("chown", "--recursive", "--no-dereference", f"{OWNER}:{GROUP}", str(clone.folder))
        clone.must("chown", "--recursive", f"{OTHER}:{GROUP}", str(home))
        prefix = ["setpriv", f"--reuid={OTHER}", f"--regid={GROUP}", "--clear-groups"]
    before = snapshot(clone.folder)
    for command in [DRY_RUN] if writable else REPORTING:
        report(clone, command, prefix, **more)
        assert snapshot(clone.folder) == before, command
    assert not (home / "attempts").exists(), (home / "attempts").read_text()
