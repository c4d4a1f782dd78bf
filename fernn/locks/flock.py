"""The system's locks on open files: they hold within one machine, and the system lets go of them in any death."""

import errno
import fcntl
import os
from collections.abc import Callable
from pathlib import Path

NO_LOCKS = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP)  # what file systems without them say, as some of clusters do


def take(descriptor: int, wait: Callable[[], object] | None = None, without: bool | None = None) -> bool:
    """Take an open file for this process alone.

    Args:
        descriptor: of a file open for writing; network file systems ask for that.
        wait: called before this waits for another process; nothing waits, if not given.
        without: the answer on a file system without locks; its error, if not given.

    Returns:
        Whether this process has it now; False: another one does.

    Raises:
        OSError: if the file system is in trouble.
    """
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if wait is None:
                return False
            wait()
            fcntl.flock(descriptor, fcntl.LOCK_EX)
    except OSError as error:
        if without is None or error.errno not in NO_LOCKS:
            raise
        return without
    return True


def in_place(descriptor: int, path: Path) -> bool:
    """Whether an open file is still the one of that name: who had it before may have renamed or removed it."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False
