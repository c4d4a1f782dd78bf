"""One process at a time makes a result, such as a trained run, wherever it is: here, or in a job on another node.

Locks of the operating system hold within one machine; on the file systems that the nodes of a cluster share they often
do not. So a lock here is a file, `<n>` in a folder of the result, which is there whole or not at all and which only one
of several can make. It names its owner, and its time moves as long as the owner lives. Whoever finds the newest lock
free, or its owner dead, makes `<n+1>`.

None of these files is ever removed: one that is given back stays, as a free one. So each number is made once, and
whoever makes it has followed the newest lock. If numbers came again, one who looked before others came and went could
make the number that it had in mind while another holds.
"""

import errno
import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from fernn.errors import FernnError
from fernn.files import finish, temporary_beside, write_json
from fernn.locks.owner import Owner, is_dead, myself

NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS}  # what link(2) says of file systems without


@dataclass(frozen=True)
class Pace:
    """Seconds between signs of life of an owner, and between looks of one who waits."""

    beat: float = 10.0
    look: float = 3.0


class TakenOverError(FernnError):
    """Somebody took this process for dead and goes on with its run."""


@contextmanager
def hold(folder: Path, say: Callable[[str], None], pace: Pace = Pace()) -> Iterator["Lock"]:
    """Hold a lock; wait, and say so, while another process holds it.

    Args:
        folder: of the lock's files.
        say: called with lines for a person.
        pace: how often to look.
    """
    lock = _acquire(folder, say, pace)
    ended = threading.Event()

    def beat() -> None:
        while not ended.wait(pace.beat):
            try:
                lock.check()
            except TakenOverError as error:
                # this process slept for long, and another one has gone on from its checkpoint: it writes nothing more
                say(str(error))
                os._exit(1)

    thread = threading.Thread(target=beat, name="lock", daemon=True)
    thread.start()
    try:
        yield lock
    finally:
        ended.set()
        thread.join()
        lock.give_back()


@dataclass(frozen=True)
class Lock:
    """A lock that this process holds."""

    path: Path

    def check(self) -> None:
        """Make sure of it before results are written.

        Raises:
            TakenOverError: if another process holds it now.
        """
        if not self.sign_of_life():
            raise TakenOverError(
                f"{self.path.parent}: another process took this one for dead and goes on with the run; "
                "this one leaves it."
            )

    def sign_of_life(self) -> bool:
        """Move the file's time; returns whether the lock is still held, as far as can be told."""
        try:
            os.utime(self.path)
            return _newest(self.path.parent) == int(self.path.name)
        except FileNotFoundError:
            return False  # somebody removed it by hand
        except OSError:
            return True  # a file system in trouble; others see an old time, and wait for long before they believe it

    def give_back(self) -> None:
        """Leave it free, for the next one."""
        with suppress(OSError):  # the end of this process frees it as well
            write_json(self.path, None)


def owner_of(folder: Path) -> tuple[Owner, float] | None:
    """Who holds a lock, dead or alive, and the time of the last sign of life; None: nobody.

    Raises:
        FernnError: if the newest file is no lock.
    """
    number = _newest(folder)
    return _read(folder / str(number)) if number else None


def write_once(path: Path, text: str) -> bool:
    """Write `text` to `path`, whole or not at all, unless the file is there; returns whether this call wrote it.

    Of several that try at once, on one machine or on many that share the file system, one succeeds.

    Raises:
        FernnError: if the file system has no hard links.
    """
    with temporary_beside(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
        finish(temporary)
        try:
            os.link(temporary, path)
        except FileExistsError:
            # a network file system may have lost its answer, and been asked twice: then the file is this very one
            return temporary.stat().st_nlink > 1
        except OSError as error:
            if error.errno in NO_LINKS:
                raise FernnError(
                    f"{path.parent}: the file system there has no hard links ({(error.strerror or '').lower()}), which "
                    "the locks of results are made with, so that two cannot work at one; keep the project on one that "
                    "has them, such as ext4, xfs or NFS."
                ) from None
            raise
        return True


def _acquire(folder: Path, say: Callable[[str], None], pace: Pace) -> Lock:
    seen: tuple[int, float] | None = None
    looked = since = time.monotonic()
    told = 0
    while True:
        number = _newest(folder)
        if found := _read(folder / str(number)) if number else None:
            owner, moved = found
            now = time.monotonic()
            # Silence is measured by this machine's clock alone, since those of two machines may differ; and what was
            # not seen because this process slept, or the file system did, is no silence.
            if seen != (number, moved) or now - looked > pace.look + pace.beat:
                seen, since = (number, moved), now
            if not is_dead(owner, still=now - since, beat=pace.beat):
                if told != number:
                    say(f"{owner} is at work on it; waiting for its end")
                    told = number
                looked = time.monotonic()  # is_dead may ask Slurm, for as long as that takes
                time.sleep(pace.look)
                continue
            say(f"{owner} died at its work on it; going on from what it left")
        mine = folder / str(number + 1)
        if write_once(mine, json.dumps(asdict(myself()))):
            return Lock(mine)
        if _newest(folder) == number:
            time.sleep(pace.look)  # another one was faster; a network file system may take a while to show it


def _newest(folder: Path) -> int:
    """The number of the lock that counts; 0: there is none."""
    try:
        return max((int(path.name) for path in folder.iterdir() if path.name.isdecimal()), default=0)
    except FileNotFoundError:
        return 0


def _read(path: Path) -> tuple[Owner, float] | None:
    """Who holds this one, and the last sign of life; None: it is free."""
    try:
        with open(path, encoding="utf-8") as file:  # opening asks the server of a network file system anew
            content = json.load(file)
            return None if content is None else (Owner(**content), os.fstat(file.fileno()).st_mtime)
    except (ValueError, TypeError):
        raise FernnError(
            f"{path} is no lock of this version. If nothing works there, free it: echo null > {path}"
        ) from None
