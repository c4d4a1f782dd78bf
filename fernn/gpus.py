"""One run per GPU of a machine: a training or an evaluation waits until its GPUs are free, and claims them."""

import os
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from fernn.errors import FernnError, answer
from fernn.locks import in_place, take

VISIBLE = "CUDA_VISIBLE_DEVICES"
LOOK = 5.0  # seconds between checks of a waiting process


def visible_gpus() -> list[str]:
    """The GPUs that this process may use, as CUDA_VISIBLE_DEVICES names them."""
    if VISIBLE in os.environ:
        named = [name.strip() for name in os.environ[VISIBLE].split(",")]
        return [name for name in named if name and name not in ("-1", "NoDevFiles")]
    return _uuids()


@contextmanager
def some_gpus(number: int, say: Callable[[str], None], locks: Path | None = None, look: float = LOOK) -> Iterator[int]:
    """Claim GPUs for this process: inside, CUDA sees only those. Does nothing on a machine without GPUs.

    Of the processes that wait for the same GPUs, one at a time claims those that become free until it has enough. So a
    process that wants several is not overtaken by others that want one, and there is no deadlock.

    Under Slurm the GPUs that a job sees belong to it. Several processes of a job share them as on any machine, such as
    those of a Snakemake started in `salloc`, so the names of their locks hold the number of the job.

    Args:
        number: how many; all GPUs, if there are fewer.
        say: prints a line.
        locks: folder of the locks, on this machine; of this user, if not given.
        look: seconds between checks while waiting.

    Yields:
        The number of GPUs visible inside.

    Raises:
        FernnError: if the folder of the locks belongs to another user or is on a file system without locks.
    """
    gpus = visible_gpus()
    if not gpus:
        yield 0
        return
    if number > len(gpus):
        say(f"{number} GPUs were requested and {len(gpus)} are here: using these ({', '.join(gpus)})")
    locks = locks or Path(tempfile.gettempdir()) / f"fernn-gpus-{os.getuid()}"
    _make_own(locks)
    before = os.environ.get(VISIBLE)
    with ExitStack() as open_files:  # closing a file releases its lock
        held = _claim(gpus, min(number, len(gpus)), locks, say, look, open_files)
        os.environ[VISIBLE] = ",".join(held)
        try:
            yield len(held)
        finally:
            os.environ.pop(VISIBLE)
            if before is not None:
                os.environ[VISIBLE] = before


def _make_own(folder: Path) -> None:
    """Make a folder that only this user can write to; others may have put theirs, or a link, in a shared /tmp."""
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700, parents=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o022:
        raise FernnError(
            f"{folder}: not a folder that this user alone can write to, and runs share GPUs by locks in it. Remove it, "
            "or set TMPDIR to a folder of your own on a local disk."
        )


def _claim(
    gpus: list[str], number: int, locks: Path, say: Callable[[str], None], look: float, open_files: ExitStack
) -> list[str]:
    """The first GPUs to become free; `open_files` keeps the files that lock them."""
    uuids = _uuids()
    job = f"{os.environ['SLURM_JOB_ID']}-" if "SLURM_JOB_ID" in os.environ else ""
    files = {gpu: locks / f"{job}{_uuid_of(gpu, uuids)}".replace("/", "-") for gpu in gpus}
    held: set[str] = set()
    reported = False

    def wait() -> None:
        nonlocal reported
        if not reported:
            say(f"too few of these GPUs are free: {', '.join(gpus)}; waiting for {number}")
        reported = True

    with ExitStack() as turns:
        for file in sorted(files.values()):  # all processes take turns in one order, so that there is no deadlock
            while not _lock(file.with_name(f"{file.name}.turn"), turns, wait):
                pass  # the file was cleaned away while this process waited for it
        while True:
            for gpu, file in files.items():
                if len(held) < number and gpu not in held and _lock(file, open_files):
                    held.add(gpu)
            if len(held) == number:
                return [gpu for gpu in gpus if gpu in held]
            wait()
            time.sleep(look)


def _lock(file: Path, open_files: ExitStack, wait: Callable[[], object] | None = None) -> bool:
    """Lock a file until `open_files` closes it; returns whether this process has it. Without `wait` it never waits."""
    with ExitStack() as attempt:
        try:
            descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise FernnError(f"{file}: {error.strerror}; remove it: runs share GPUs by locks there.") from error
        attempt.callback(os.close, descriptor)
        try:
            if not take(descriptor, wait):
                return False
        except OSError as error:
            raise FernnError(
                f"{file.parent}: the file system has no locks ({error.strerror}), with which runs share GPUs. Set "
                "TMPDIR to a folder on a local disk."
            ) from error
        os.utime(descriptor)  # old files in /tmp may be cleaned away
        if not in_place(descriptor, file):
            return False
        open_files.push(attempt.pop_all())
        return True


def _uuids() -> list[str]:
    """UUIDs of all GPUs of this machine, in the order of their numbers."""
    listed = answer("nvidia-smi", "--query-gpu=uuid", "--format=csv,noheader") or ""
    return [line for line in map(str.strip, listed.splitlines()) if line.startswith("GPU-")]


def _uuid_of(gpu: str, uuids: list[str]) -> str:
    """The UUID of a GPU that is named by its number or by the start of its UUID, so that a card has one lock.

    CUDA numbers GPUs as nvidia-smi does if all are of one kind, or if CUDA_DEVICE_ORDER is PCI_BUS_ID.
    """
    if gpu.isdecimal() and int(gpu) < len(uuids):
        return uuids[int(gpu)]
    meant = [uuid for uuid in uuids if uuid.startswith(gpu)]
    return meant[0] if len(meant) == 1 else gpu
