"""Locks: `hold` for a result, across machines; `take` for an open file, within one machine.

Locks of the operating system often fail on the file systems that nodes of a cluster share. So the lock of a result is a
file `<n>` in a folder, created atomically by one of several processes that try. It names its owner, which updates the
file's time while it lives. A process that finds the newest lock free, or its owner dead, creates `<n+1>`.

These files are never removed: a released lock stays, as a free one. So each number is created once, by a process that
has seen the newest lock before. If numbers were reused, a process that read the folder before others came and went
could create its number while another process holds the lock.
"""

import errno
import fcntl
import json
import os
import re
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from fernn.errors import FernnError
from fernn.files import finish, temporary_beside, write_json

NO_LOCKS = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP)  # errors of flock(2) on file systems without locks
NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS}  # of link(2) on those without hard links
# missed heartbeats after which an owner on another machine counts as dead: if Slurm says that it ended, or else
PATIENCE_IF_SLURM_SAYS_SO, PATIENCE = 3, 30


def take(descriptor: int, wait: Callable[[], object] | None = None, without: bool | None = None) -> bool:
    """Lock an open file for this process; the system releases the lock however the process ends.

    Args:
        descriptor: of a file open for writing; network file systems require that.
        wait: called before waiting for another process; if None, this does not wait.
        without: returned on a file system without locks; if None, its error is raised.

    Returns:
        Whether this process has the lock now.

    Raises:
        OSError: if the file system fails.
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
    """Whether an open file still has that name: a previous owner may have renamed or removed it."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


@dataclass(frozen=True)
class Owner:
    """A process that holds a lock.

    Attributes:
        host: name of its machine.
        machine: boot id and namespace of process ids that `pid` belongs to.
        pid: of the process.
        started: when it started, in ticks since boot; distinguishes it from a later process with the same pid.
        job: its Slurm job, if any.
    """

    host: str
    machine: str
    pid: int
    started: str
    job: str | None

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}" + (f" (Slurm job {self.job})" if self.job else "")


def myself() -> Owner:
    """This process."""
    return Owner(socket.gethostname(), _machine(), os.getpid(), _started(os.getpid()), os.environ.get("SLURM_JOB_ID"))


def is_dead(owner: Owner, still: float, beat: float) -> bool:
    """Whether an owner ended without releasing its lock.

    Args:
        owner: of the lock.
        still: seconds since its last heartbeat was seen.
        beat: seconds between two heartbeats.
    """
    if owner.machine == _machine():
        return not _lives(owner)
    if owner.job is None:
        known = None
    elif owner.job == os.environ.get("SLURM_JOB_ID"):
        known = False  # a requeued job keeps its number: Slurm would mean this process
    else:
        known = slurm_knows(owner.job)
    # Slurm gives up a node that it cannot reach, and the node may continue: its signs of life decide
    return not known and still > (PATIENCE if known is None else PATIENCE_IF_SLURM_SAYS_SO) * beat


def slurm_knows(job: str) -> bool | None:
    """Whether a job is pending or running; None if Slurm does not answer."""
    try:
        asked = ["squeue", "--noheader", "--format=%T", f"--jobs={job}"]
        answer = subprocess.run(asked, capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return None
    if answer.returncode:
        return False if "Invalid job id" in answer.stderr else None
    return bool(answer.stdout.strip())


def _lives(owner: Owner) -> bool:
    try:
        os.kill(owner.pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # another user's process, which /proc may hide
        return _started(owner.pid) in (owner.started, "")
    return _started(owner.pid) == owner.started


def _machine() -> str:
    """Identifies a boot and a pid namespace: a host name is shared by containers and survives a reboot."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return socket.gethostname()


def _started(pid: int) -> str:
    """Field 22 of /proc/<pid>/stat; empty for a process that is gone or a zombie."""
    try:
        state, *fields = re.sub(r".*\) ", "", Path(f"/proc/{pid}/stat").read_text(), flags=re.DOTALL).split()
    except OSError:
        return ""
    return "" if state in "ZX" else fields[18]


@dataclass(frozen=True)
class Pace:
    """Seconds between heartbeats of an owner, and between checks of a waiting process."""

    beat: float = 10.0
    look: float = 3.0


class TakenOverError(FernnError):
    """Another process assumed that this one was dead and took its lock."""


@contextmanager
def hold(folder: Path, say: Callable[[str], None], pace: Pace = Pace()) -> Iterator["Lock"]:
    """Hold the lock whose files are in a folder; wait, with a message, while another process holds it."""
    lock = _acquire(folder, say, pace)
    ended = threading.Event()

    def beat() -> None:
        while not ended.wait(pace.beat):
            try:
                lock.check()
            except TakenOverError as error:
                # this process was suspended, and another one resumed from its checkpoint: write nothing more
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
        """Verify the lock before results are written.

        Raises:
            TakenOverError: if another process holds it now.
        """
        if not self.sign_of_life():
            raise TakenOverError(
                f"{self.path.parent}: another process assumed that this one was dead and continues the run; "
                "this one stops."
            )

    def sign_of_life(self) -> bool:
        """Update the file's time; returns whether the lock is still held, as far as is known."""
        try:
            os.utime(self.path)
            return _newest(self.path.parent) == int(self.path.name)
        except FileNotFoundError:
            return False  # removed by hand
        except OSError:
            return True  # the file system fails; others see an old time, and wait long before they act on it

    def give_back(self) -> None:
        """Leave the lock free for the next process."""
        with suppress(OSError):  # the end of this process frees it as well
            write_json(self.path, None)


def write_once(path: Path, text: str) -> bool:
    """Write `text` to `path`, completely or not at all, unless the file exists; returns whether this call wrote it.

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
            # a network file system may have lost its answer and retried: then the file is this one
            return temporary.stat().st_nlink > 1
        except OSError as error:
            if error.errno in NO_LINKS:
                raise FernnError(
                    f"{path.parent}: the file system has no hard links ({(error.strerror or '').lower()}), which the "
                    "locks of results need; keep the project on one that has them, such as ext4, xfs or NFS."
                ) from None
            raise
        return True


def _acquire(folder: Path, say: Callable[[str], None], pace: Pace) -> Lock:
    seen: tuple[int, float] | None = None
    looked = since = time.monotonic()
    reported = 0
    while True:
        number = _newest(folder)
        if found := _read(folder / str(number)) if number else None:
            owner, moved = found
            now = time.monotonic()
            # Silence is measured by this machine's clock alone, since clocks of two machines may differ. Time during
            # which this process was suspended, or the file system hung, does not count as silence.
            if seen != (number, moved) or now - looked > pace.look + pace.beat:
                seen, since = (number, moved), now
            if not is_dead(owner, still=now - since, beat=pace.beat):
                if reported != number:
                    say(f"{owner} holds the lock; waiting for it")
                    reported = number
                looked = time.monotonic()  # is_dead may query Slurm, which takes time
                time.sleep(pace.look)
                continue
            say(f"{owner} died while it held the lock; resuming from what it left")
        mine = folder / str(number + 1)
        if write_once(mine, json.dumps(asdict(myself()))):
            return Lock(mine)
        if _newest(folder) == number:
            time.sleep(pace.look)  # another process was faster; a network file system may take a while to show it


def _newest(folder: Path) -> int:
    """The number of the lock that counts; 0 if there is none."""
    try:
        return max((int(path.name) for path in folder.iterdir() if path.name.isdecimal()), default=0)
    except FileNotFoundError:
        return 0


def _read(path: Path) -> tuple[Owner, float] | None:
    """The owner and its last sign of life; None for a free lock."""
    try:
        with open(path, encoding="utf-8") as file:  # opening makes a network file system revalidate
            content = json.load(file)
            return None if content is None else (Owner(**content), os.fstat(file.fileno()).st_mtime)
    except (ValueError, TypeError):
        raise FernnError(
            f"{path} is no lock of this version. If nothing works there, free it: echo null > {path}"
        ) from None
