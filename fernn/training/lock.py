"""One process at a time trains a run, wherever it was started: on this machine, or as a job on another node.

Locks of the operating system hold within one machine; on the file systems that the nodes of a cluster share they often
do not. So a lock here is a file: `lock.<n>` beside the checkpoint, made by a hard link, which is there whole or not at
all and which only one of several can make. It names its holder, and its time moves as long as the holder lives. Whoever
finds the newest lock free, or its holder dead, makes `lock.<n+1>`.

A lock that is given back stays, as a free one, for as long as the folder does: so numbers only grow, and the newest one
always tells. If they began anew, one who looked before others came and went could make the number that it had in mind,
and take it for the newest. That one finds a higher number now.
"""

import json
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from fernn.errors import FernnError
from fernn.files import write_json
from fernn.training.holder import Holder, is_dead, myself


@dataclass(frozen=True)
class Pace:
    """Seconds between signs of life of a holder, and between looks of one who waits."""

    beat: float = 10.0
    look: float = 3.0


class TakenOverError(FernnError):
    """Somebody took this process for dead and goes on with its run."""


@contextmanager
def hold(folder: Path, say: Callable[[str], None], pace: Pace = Pace()) -> Iterator["Lock"]:
    """Hold the lock of a run; wait, and say so, while another process holds it.

    Args:
        folder: where the run keeps its checkpoint.
        say: called with lines for a person.
        pace: how often to look.
    """
    lock = _acquire(folder, say, pace)
    ended = threading.Event()

    def beat() -> None:
        while not ended.wait(pace.beat):
            if not lock.sign_of_life():
                # this process slept for long, and another one has gone on from its checkpoint: it writes nothing more
                say(str(lock.taken_over()))
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
            raise self.taken_over()

    def sign_of_life(self) -> bool:
        """Move the file's time; returns whether the lock is still held."""
        try:
            os.utime(self.path)
        except FileNotFoundError:
            return False
        except OSError:
            pass  # a file system in trouble; others see an old time, and wait for long before they believe it
        return self.counts()

    def counts(self) -> bool:
        """Whether nobody has made a newer one."""
        return _newest(self.path.parent) == _number(self.path)

    def give_back(self) -> None:
        """Leave it free, unless another process has taken over."""
        try:
            if self.counts():
                write_json(self.path, None)
        except OSError:
            pass  # the end of this process frees it as well

    def taken_over(self) -> TakenOverError:
        """What a person is told."""
        return TakenOverError(
            f"{self.path.parent}: another process took this one for dead and goes on with the run; this one leaves it."
        )


def holder_of(folder: Path) -> tuple[Holder, float] | None:
    """Who holds the lock of a run, dead or alive, and the time of the last sign of life; None: nobody."""
    _, holder, moved = _look(folder)
    return (holder, moved) if holder else None


def remove_free(folder: Path) -> None:
    """Remove the folder of a run, unless somebody holds its lock."""
    if holder_of(folder) is None:
        shutil.rmtree(folder, ignore_errors=True)


def _acquire(folder: Path, say: Callable[[str], None], pace: Pace) -> Lock:
    seen: tuple[int, float] | None = None
    since, told = time.monotonic(), 0
    while True:
        folder.mkdir(parents=True, exist_ok=True)
        number, holder, moved = _look(folder)
        if holder:
            if seen != (number, moved):  # this machine's clock against itself: those of two machines may differ
                seen, since = (number, moved), time.monotonic()
            if not is_dead(holder, still=time.monotonic() - since, beat=pace.beat):
                if told != number:
                    say(f"{holder} is at work on this run; waiting for its end")
                    told = number
                time.sleep(pace.look)
                continue
            say(f"{holder} died at its work on this run; going on from its checkpoint")
        mine = Lock(_path(folder, number + 1))
        if not _make(mine.path):
            continue
        if mine.counts():
            for older in folder.glob("lock.*"):
                if _number(older) <= number:
                    older.unlink(missing_ok=True)
            return mine
        mine.path.unlink(missing_ok=True)  # others came, and perhaps went, since the look


def _make(path: Path) -> bool:
    """Make a lock, if nobody has made the same one."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".lock.", suffix=".partial")
    try:
        with open(descriptor, "w", encoding="utf-8") as file:
            json.dump(asdict(myself()), file)
        os.link(name, path)
    except FileExistsError:
        return False
    finally:
        Path(name).unlink()
    return True


def _look(folder: Path) -> tuple[int, Holder | None, float]:
    """The number of the lock that counts (0: none), its holder (None: it is free), and its last sign of life."""
    while number := _newest(folder):
        try:
            return number, *_read(_path(folder, number))
        except FileNotFoundError:
            pass  # it went between two looks
    return 0, None, 0.0


def _newest(folder: Path) -> int:
    """The number of the lock that counts; 0: there is none."""
    return max(map(_number, folder.glob("lock.*")), default=0)


def _number(path: Path) -> int:
    number = path.name.partition(".")[2]
    return int(number) if number.isdigit() else 0


def _path(folder: Path, number: int) -> Path:
    return folder / f"lock.{number}"


def _read(path: Path) -> tuple[Holder | None, float]:
    try:
        with open(path, encoding="utf-8") as file:  # opening asks the server of a network file system anew
            content = json.load(file)
            return None if content is None else Holder(**content), os.fstat(file.fileno()).st_mtime
    except (ValueError, TypeError):
        raise FernnError(
            f"{path} is not a lock that this version wrote. If nothing trains this run, remove it."
        ) from None
