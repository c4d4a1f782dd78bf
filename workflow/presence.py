"""Detect other Snakemake processes in this folder, and pass on a stop."""

import fcntl
import os
import shutil
import signal
import sys
import tempfile
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import FrameType
from typing import IO, Any

import psutil
from snakemake.persistence.file import FilePersistence

from fernn.locks import take

_HELD: list[IO[str]] = []  # open for as long as the process lives; the system lets go of it in any death


def enter(state: Path = Path(".snakemake")) -> None:
    """Announce this process; remove the locks of processes that have ended.

    Under DVC, wait until no other process runs: a DVC that was killed leaves its Snakemake running, and the next one
    takes its results. Without DVC, Snakemake itself refuses to touch what another one makes.
    """
    said = "Another Snakemake runs in this folder: waiting for it."
    wait = partial(print, said, file=sys.stderr, flush=True) if "DVC_STAGE" in os.environ else None
    try:
        state.mkdir(exist_ok=True)
        file = open(state / "presence", "a+")  # noqa: SIM115 (it stays open; NFS shares only what may be read)
    except PermissionError:  # another user's file; but on NFS, a lock can then only be shared
        file = open(state / "presence")  # noqa: SIM115
    _HELD.append(file)
    # on a file system without locks other processes are invisible, and `snakemake --unlock` is by hand
    with suppress(OSError):
        if take(file.fileno(), wait):
            shutil.rmtree(state / "locks", ignore_errors=True)  # nobody else is here: these are of the dead
        fcntl.flock(file, fcntl.LOCK_SH)


def stay_outside(state: Path = Path(".snakemake")) -> None:
    """Make a dry run keep Snakemake's own files in a temporary folder: the checkout may belong to another user.

    Snakemake has no setting for it. It makes its folders in a dry run too, and writes a cache of file times that only
    `--trust-io-cache` reads. The marks of incomplete outputs are read where they are.
    """

    class Outside(FilePersistence):
        def __init__(self, **settings: Any) -> None:
            self._folder = tempfile.TemporaryDirectory(prefix="snakemake-dry-run-")
            path = Path(self._folder.name)
            for name in ("incomplete", "metadata"):
                if (state / name).is_dir():
                    (path / name).symlink_to((state / name).absolute())
            super().__init__(**{**settings, "path": path})

    sys.modules["snakemake.workflow"].FilePersistence = Outside  # type: ignore[attr-defined]


def pass_on(signum: int = signal.SIGTERM) -> None:
    """Pass a signal on to the jobs from now on: a Snakemake that is asked to stop asks its jobs to stop too.

    By itself it starts no more jobs and waits for those that run, for hours where they train; a person's Ctrl-C reaches
    both. A training that is asked to stop saves its state, and the same command resumes it.
    """
    before = signal.getsignal(signum)

    def stop(number: int, frame: FrameType | None) -> None:
        if callable(before):
            before(number, frame)
        for process in psutil.Process().children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                if not process.children():  # a shell ends with what it runs, and reports how that ended
                    process.send_signal(number)

    signal.signal(signum, stop)
