"""Every stage is killed, and refused, at each of its operations on files."""

import errno
import os
import random
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from .harness import FULL, SCALE, SEED, Project, Server, Trial, drawn, of
from .ledger import Ledger

WHOLE = "A result is complete or absent, and the same command creates it, byte for byte"
READ_ONLY = "Read-only files, such as links into DVC's cache, are replaced, never modified"
TOLD = "System errors are reported in one line, and no partial file remains"
KILLS = ("killed at a file operation", "kill -9 at a random moment")
KTH = Path(f"results/{SCALE}/downloads/kth")
STAGES = ["standins", "fetch", "digits", "rendered", "frames", "train", "rotation", "recognition", "evaluate", "tables"]
STAGES += ["figures", "report"]
MOST = {"figures": 3, "standins": 30}  # faults of the stages that take seconds


@pytest.fixture
def trial(template: Project, request: pytest.FixtureRequest) -> Trial:
    """A stage, by its short name."""
    jobs, name = template.jobs, request.param
    if name == "fetch":
        files = tuple(sorted(path.relative_to(template.folder) for path in (template.folder / KTH).iterdir()))
        return Trial(template, ("fetch", "kth"), files)
    run = template.run
    short = {
        "digits": ("dataset", "translation/digits"),
        "rendered": ("dataset", "rotation/test-V1R"),
        "frames": ("dataset", "kth/frames"),
        "train": ("train", run),
        "rotation": ("train", next(run for run in jobs.runs if run.startswith("rotation/"))),
        "recognition": ("train", next(run for run in jobs.runs if run.startswith("kth/"))),
        "evaluate": ("evaluate", run),
    }
    stage, of_stage = short.get(name, (name, ""))
    job = jobs.find(stage, of_stage or next(iter(jobs.of(stage))))
    return Trial(template, of(job), (*job.writes, job.record))


@pytest.mark.parametrize("fault", [*KILLS, *FULL, "a limit on file size"])
@pytest.mark.parametrize("trial", STAGES, indirect=True)
def test_a_fault(trial: Trial, fault: str, tmp_path: Path, ledger: Ledger, request) -> None:
    name = request.node.callspec.id
    operations, seconds = trial.operations(tmp_path / "counted")
    assert operations > 0
    chance, most = random.Random(f"{SEED} {name}"), MOST.get(trial.command[0])
    match fault:
        case "killed at a file operation":
            cases: list[dict[str, Any]] = [{"kind": "crash", "at": at} for at in range(1, operations + 1)]
        case "kill -9 at a random moment":
            cases = [{"kind": "kill", "after": chance.random() * seconds} for _ in range(20)]
        case "a limit on file size":
            # writes themselves fail, in the middle of a file, as where a disk fills up or a quota ends;
            # what it says goes to a file, too, which has to have room for a sentence
            largest = max(1001, *((trial.template.folder / path).stat().st_size for path in trial.outputs))
            cases = [{"kind": "limit", "bytes": chance.randrange(1000, largest)} for _ in range(6)]
        case _:
            most = min(most or 8, 8)
            cases = [{"kind": "error", "at": at, "errno": FULL[fault]} for at in range(1, operations + 1)]
    tried = drawn(cases, name, most)
    for each in tried:
        if fault in KILLS:
            trial.crash(tmp_path / "project", each)
        else:
            trial.refuse(tmp_path / "project", FULL.get(fault, errno.EFBIG), each)
    ledger(WHOLE if fault in KILLS else TOLD, fault, len(tried))


@pytest.fixture(scope="module")
def small_disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Path]]:
    """A file system of some megabytes, mounted where only the process that runs commands sees it; needs no root."""
    folder = tmp_path_factory.mktemp("disk")
    unshare = ("unshare", "--user", "--map-root-user", "--mount", "sh", "-c")
    if subprocess.run([*unshare, f"mount -t tmpfs none {folder}"], capture_output=True).returncode:
        pytest.skip("this kernel lets no ordinary user mount anything")
    server = Server(*unshare, f'mount -t tmpfs -o size=48m none {folder} && exec "$@"', "sh")
    yield server, Path(f"{server.root}{folder}")
    server.close()


@contextmanager
def filled(disk: Path, left: int) -> Iterator[None]:
    """So many bytes are left on it."""
    filler = disk / "filler"
    free = os.statvfs(disk)
    with open(filler, "wb") as file:
        os.posix_fallocate(file.fileno(), 0, free.f_bavail * free.f_frsize - left)
    yield
    filler.unlink()


@pytest.mark.parametrize("trial", STAGES, indirect=True)
def test_a_disk_fills_up(trial: Trial, small_disk: tuple[Server, Path], ledger: Ledger, request) -> None:
    trial.server, disk = small_disk
    largest = max((trial.template.folder / path).stat().st_size for path in trial.outputs)
    chance = random.Random(f"{SEED} disk {request.node.callspec.id}")
    rooms = drawn([chance.randrange(0, largest + 1, 4096) for _ in range(3)], f"disk {request.node.callspec.id}")
    for room in rooms:
        trial.refuse(disk / "project", errno.ENOSPC, while_it_runs=filled(disk, room))
    ledger(TOLD, "a disk that fills up", len(rooms))


@pytest.mark.parametrize("trial", STAGES, indirect=True)
def test_beside_read_only_files(trial: Trial, tmp_path: Path, ledger: Ledger) -> None:
    trial.beside_read_only(tmp_path / "project")
    ledger(READ_ONLY, "read-only results", 1)
