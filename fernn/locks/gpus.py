"""One run on each GPU of a machine: whoever trains or evaluates claims one or several, and waits till they are free."""

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from fernn.errors import FernnError, answer
from fernn.locks.flock import in_place, take

VISIBLE = "CUDA_VISIBLE_DEVICES"
LOOK = 5.0  # seconds between looks of one who waits


def visible_gpus() -> list[str]:
    """The GPUs that this process may use, as CUDA_VISIBLE_DEVICES names them; empty: none."""
    if VISIBLE in os.environ:
        named = [name.strip() for name in os.environ[VISIBLE].split(",")]
        return [name for name in named if name and name not in ("-1", "NoDevFiles")]
    return _uuids()


@contextmanager
def some_gpus(number: int, say: Callable[[str], None], locks: Path | None = None, look: float = LOOK) -> Iterator[int]:
    """Have GPUs alone: CUDA sees only those inside. Does nothing where there is none.

    Of those who wait for the same GPUs, one at a time takes what becomes free until it has as many as it wants: so
    whoever wants several is not passed by others that want one, and no two hold what the other waits for.

    Under Slurm the GPUs that a job sees are its own, and are numbered anew in every job: there, too, it takes nothing.

    Args:
        number: how many; all that there are, if these are fewer.
        say: called with lines for a person.
        locks: folder of the locks, on this machine; of this user, if not given.
        look: seconds between looks while too many are taken.

    Gives:
        How many there are inside; 0: none at all.

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
    held = _claim(gpus, min(number, len(gpus)), locks, say, look)
    os.environ[VISIBLE] = ",".join(held)
    try:
        yield len(held)
    finally:
        for descriptor in held.values():
            os.close(descriptor)
        os.environ.pop(VISIBLE)
        if before is not None:
            os.environ[VISIBLE] = before


def _claim(gpus: list[str], number: int, locks: Path, say: Callable[[str], None], look: float) -> dict[str, int]:
    """The first GPUs to become free, with the open files that hold them; the system lets go of these in any death."""
    uuids = _uuids()
    files = {gpu: locks / _own_name(gpu, uuids).replace("/", "-") for gpu in gpus}
    held: dict[str, int] = {}
    told = False

    def wait() -> None:
        nonlocal told
        if not told:
            wanted = "one" if number == 1 else f"{number}"
            say(f"too few of the GPUs that this may use are free ({', '.join(gpus)}); waiting for {wanted}")
        told = True

    turns: list[int] = []
    try:
        for file in sorted(files.values()):  # all take them in one order, so that none waits for another in a circle
            turns.append(_open(file.with_name(f"{file.name}.turn")))
            _take(turns[-1], locks, wait)
        while True:
            for gpu, file in files.items():
                if len(held) < number and gpu not in held and (descriptor := _hold(file, locks)) is not None:
                    held[gpu] = descriptor
            if len(held) == number:
                return {gpu: held[gpu] for gpu in gpus if gpu in held}
            wait()
            time.sleep(look)
    except BaseException:
        for descriptor in held.values():
            os.close(descriptor)
        raise
    finally:
        for descriptor in turns:
            os.close(descriptor)


def _hold(file: Path, locks: Path) -> int | None:
    """The open file of a GPU that is free, None for one that is taken."""
    descriptor = _open(file)
    if _take(descriptor, locks):
        os.utime(descriptor)  # what is old in /tmp may be cleaned away
        if in_place(descriptor, file):
            return descriptor
    os.close(descriptor)
    return None


def _open(file: Path) -> int:
    return os.open(file, os.O_RDWR | os.O_CREAT, 0o600)


def _take(descriptor: int, locks: Path, wait: Callable[[], object] | None = None) -> bool:
    try:
        return take(descriptor, wait)
    except OSError as error:
        raise FernnError(
            f"{locks} has no locks, by which runs share the GPUs of a machine ({error.strerror}). Set TMPDIR to a "
            "folder on a disk of this machine."
        ) from error


def _uuids() -> list[str]:
    """Of all GPUs of this machine, by their numbers."""
    said = answer("nvidia-smi", "--query-gpu=uuid", "--format=csv,noheader") or ""
    return [line for line in map(str.strip, said.splitlines()) if line.startswith("GPU-")]


def _own_name(gpu: str, uuids: list[str]) -> str:
    """The UUID of a GPU that is named by its number or by the beginning of its UUID, so that a card has one lock.

    CUDA numbers GPUs as nvidia-smi does where all are of one kind, or where CUDA_DEVICE_ORDER is PCI_BUS_ID.
    """
    if gpu.isdecimal() and int(gpu) < len(uuids):
        return uuids[int(gpu)]
    meant = [uuid for uuid in uuids if uuid.startswith(gpu)]
    return meant[0] if len(meant) == 1 else gpu
