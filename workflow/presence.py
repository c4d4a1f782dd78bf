"""Who is at work in this folder: so that what a killed Snakemake left behind is told from the work of a live one."""

import fcntl
import os
import shutil
import sys
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import IO

from fernn.locks.flock import take

_HELD: list[IO[str]] = []  # open for as long as the process lives; the system lets go of it in any death


def enter(state: Path = Path(".snakemake")) -> None:
    """Say that this process is at work here; remove the locks of processes that are no more.

    Under DVC, wait until nobody else is at work: a DVC that was killed leaves its Snakemake running, and the next one
    takes its results. Without DVC, Snakemake itself refuses to touch what another one makes.
    """
    said = "Another Snakemake is at work in this folder: waiting for it."
    wait = partial(print, said, file=sys.stderr, flush=True) if "DVC_STAGE" in os.environ else None
    state.mkdir(exist_ok=True)
    file = open(state / "presence", "a+")  # noqa: SIM115 (it stays open; NFS shares only what may be read)
    _HELD.append(file)
    # on a file system without locks nothing can be told of others, and `snakemake --unlock` is by hand
    with suppress(OSError):
        if take(file.fileno(), wait):
            shutil.rmtree(state / "locks", ignore_errors=True)  # nobody else is here: these are of the dead
        fcntl.flock(file, fcntl.LOCK_SH)
