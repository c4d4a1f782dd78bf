"""One run per GPU of a machine: a training or an evaluation claims its GPUs, and waits until they are free."""

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from fernn.errors import FernnError, answer
from fernn.locks import in_place, take

VISIBLE = "CUDA_VISIBLE_DEVICES"
LOOK = 5.0  # seconds between checks of a waiting process


def visible_gpus() -> list[str]:
    """The GPUs that this process may use, as CUDA_VISIBLE_DEVICES names them; empty: none."""
    if VISIBLE in os.environ:
        named = [name.strip() for name in os.environ[VISIBLE].split(",")]
        return [name for name in named if name and name not in ("-1", "NoDevFiles")]
    return _uuids()


@contextmanager
def some_gpus(number: int, say: Callable[[str], None], locks: Path | None = None, look: float = LOOK) -> Iterator[int]:
    """Claim GPUs for this process: CUDA sees only those inside. Does nothing where there is none.

    Of the processes that wait for the same GPUs, one at a time claims those that become free until it has enough: so a
    process that wants several is not overtaken by others that want one, and no two hold what the other waits for.

    Under Slurm the GPUs that a job sees belong to it, and are numbered anew in every job: nothing is claimed there.

    Args:
        number: how many; all GPUs, if there are fewer.
        say: prints a line.
        locks: folder of the locks, on this machine; of this user, if not given.
        look: seconds between checks while too many are claimed.

    Yields:
        How many GPUs are visible inside; 0: none at all.

    Raises:
        FernnError: if the folder of the locks is on a file system without locks.
    """
    gpus = visible_gpus()
    if not gpus or "SLURM_JOB_ID" in os.environ:
        yield min(number, len(gpus))
        return
    if number > len(gpus):
        say(f"{number} GPUs were asked for and {len(gpus)} are here: it takes these ({', '.join(gpus)})")
    locks = locks or Path(tempfile.gettempdir()) / f"fernn-gpus-{os.getuid()}"
    locks.mkdir(mode=0o700, parents=True, exist_ok=True)
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


def _claim(
    gpus: list[str], number: int, locks: Path, say: Callable[[str], None], look: float, open_files: ExitStack
) -> list[str]:
    """The first GPUs to become free; `open_files` keeps the files that lock them."""
    uuids = _uuids()
    files = {gpu: locks / _uuid_of(gpu, uuids).replace("/", "-") for gpu in gpus}
    held: set[str] = set()
    reported = False

    def wait() -> None:
        nonlocal reported
        if not reported:
            wanted = "one" if number == 1 else f"{number}"
            say(f"too few of the GPUs that this may use are free ({', '.join(gpus)}); waiting for {wanted}")
        reported = True

    with ExitStack() as turns:
        for file in sorted(files.values()):  # all processes take them in one order, so that there is no deadlock
            turn = file.with_name(f"{file.name}.turn")
            _take(_open(turn, turns), locks, wait)
        while True:
            for gpu, file in files.items():
                if len(held) < number and gpu not in held and _hold(file, locks, open_files):
                    held.add(gpu)
            if len(held) == number:
                return [gpu for gpu in gpus if gpu in held]
            wait()
            time.sleep(look)


def _hold(file: Path, locks: Path, open_files: ExitStack) -> bool:
    """Whether a GPU was free, and is locked now."""
    with ExitStack() as attempt:
        descriptor = _open(file, attempt)
        if not _take(descriptor, locks):
            return False
        os.utime(descriptor)  # old files in /tmp may be cleaned away
        if not in_place(descriptor, file):
            return False
        open_files.push(attempt.pop_all())
        return True


def _open(file: Path, closing: ExitStack) -> int:
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
    closing.callback(os.close, descriptor)
    return descriptor


def _take(descriptor: int, locks: Path, wait: Callable[[], object] | None = None) -> bool:
    try:
        return take(descriptor, wait)
    except OSError as error:
        raise FernnError(
            f"{locks} has no locks, by which runs share the GPUs of a machine ({error.strerror}). Set TMPDIR to a "
            "folder on a disk of this machine."
        ) from error


def _uuids() -> list[str]:
    """UUIDs of all GPUs of this machine, by their numbers."""
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
