"""Who is at work in this folder: so that what a killed Snakemake left behind is told from the work of a live one."""

import fcntl
import os
import shutil
from pathlib import Path
from typing import IO

_HELD: list[IO[str]] = []  # open for as long as the process lives; the system lets go of it in any death


def enter(state: Path = Path(".snakemake")) -> bool:
    """Say that this process is at work here; remove the locks of processes that are no more.

    Under DVC, wait until nobody else is at work: a DVC that was killed leaves its Snakemake running, and the next one
    takes its results. Without DVC, Snakemake itself refuses to touch what another one makes.

    Returns:
        Whether nothing here is in the making.
    """
    state.mkdir(exist_ok=True)
    locks = state / "locks"
    _HELD.append(open(state / "presence", "a"))  # noqa: SIM115 (it stays open)
    file = _HELD[-1].fileno()
    try:
        fcntl.flock(file, fcntl.LOCK_EX | (0 if "DVC_STAGE" in os.environ else fcntl.LOCK_NB))
        shutil.rmtree(locks, ignore_errors=True)  # nobody else is here: these are of the dead
        fcntl.flock(file, fcntl.LOCK_SH)
    except BlockingIOError:
        fcntl.flock(file, fcntl.LOCK_SH)
    except OSError:
        pass  # a file system without locks: then nothing can be told of others, and `snakemake --unlock` is by hand
    return not locks.exists() or not any(locks.iterdir())
