"""One run on each GPU of a machine: whoever trains or evaluates claims one, and waits while all are taken."""

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from fernn.errors import FernnError
from fernn.locks.flock import in_place, take
from fernn.programs import answer

VISIBLE = "CUDA_VISIBLE_DEVICES"
LOOK = 5.0  # seconds between looks of one who waits


def visible_gpus() -> list[str]:
    """The GPUs that this process may use, as CUDA_VISIBLE_DEVICES names them; empty: none."""
    if VISIBLE in os.environ:
        named = [name.strip() for name in os.environ[VISIBLE].split(",")]
        return [name for name in named if name and name not in ("-1", "NoDevFiles")]
    return _uuids()


@contextmanager
def one_gpu(say: Callable[[str], None], locks: Path | None = None, look: float = LOOK) -> Iterator[None]:
    """Have one GPU alone: CUDA sees only that one inside. Does nothing where there is none.

    Under Slurm the GPUs that a job sees are its own, and are numbered anew in every job: there, too, it does nothing.

    Args:
        say: called with lines for a person.
        locks: folder of the locks, on this machine; of this user, if not given.
        look: seconds between looks while all are taken.

    Raises:
        FernnError: if the folder of the locks is on a file system without locks.
    """
    gpus = visible_gpus()
    if not gpus or "SLURM_JOB_ID" in os.environ:
        yield
        return
    locks = locks or Path(tempfile.gettempdir()) / f"fernn-gpus-{os.getuid()}"
    locks.mkdir(mode=0o700, parents=True, exist_ok=True)
    before = os.environ.get(VISIBLE)
    gpu, descriptor = _claim(gpus, locks, say, look)
    os.environ[VISIBLE] = gpu
    try:
        yield
    finally:
        os.close(descriptor)
        os.environ.pop(VISIBLE)
        if before is not None:
            os.environ[VISIBLE] = before


def _claim(gpus: list[str], locks: Path, say: Callable[[str], None], look: float) -> tuple[str, int]:
    """The first free GPU, and the open file that holds it; the system lets go of it in any death."""
    told, uuids = False, _uuids()
    while True:
        for gpu in gpus:
            file = locks / _own_name(gpu, uuids).replace("/", "-")
            descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
            if _take(descriptor, locks):
                os.utime(descriptor)  # what is old in /tmp may be cleaned away
                if in_place(descriptor, file):
                    return gpu, descriptor
            os.close(descriptor)
        if not told:
            say(f"all GPUs that this may use are taken ({', '.join(gpus)}); waiting for one")
            told = True
        time.sleep(look)


def _take(descriptor: int, locks: Path) -> bool:
    try:
        return take(descriptor)
    except OSError as error:
        os.close(descriptor)
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
