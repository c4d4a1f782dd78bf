"""Who holds a run, and whether that process is still alive: on this machine, on another one, or as a job of Slurm."""

import os
import re
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path

# signs of life that may stay out before a process on another machine is taken for dead
PATIENCE_IF_SLURM_SAYS_SO, PATIENCE = 3, 30


@dataclass(frozen=True)
class Owner:
    """A process.

    Attributes:
        host: name of its machine.
        machine: the start of the system and the space of process ids that `pid` belongs to.
        pid: of the process.
        started: when it started, in ticks of that system; tells it from a later process of the same pid.
        job: its job of Slurm, if any.
    """

    host: str
    machine: str
    pid: int
    started: str
    job: str | None

    def __str__(self) -> str:
        """What a person can look for."""
        return f"process {self.pid} on {self.host}" + (f" (Slurm job {self.job})" if self.job else "")


def myself() -> Owner:
    """This process."""
    return Owner(socket.gethostname(), _machine(), os.getpid(), _started(os.getpid()), os.environ.get("SLURM_JOB_ID"))


def is_dead(owner: Owner, still: float, beat: float) -> bool:
    """Whether an owner has gone without giving back its lock.

    Args:
        owner: who holds it.
        still: seconds since its last sign of life was seen to move.
        beat: seconds between two of them.
    """
    if owner.machine == _machine():
        return not _lives(owner)
    if owner.job is None:
        known = None
    elif owner.job == os.environ.get("SLURM_JOB_ID"):
        known = False  # a requeued job keeps its number: Slurm would mean this process
    else:
        known = slurm_knows(owner.job)
    # Slurm gives up a node that it cannot reach, and the node may go on: its signs of life decide
    return not known and still > (PATIENCE if known is None else PATIENCE_IF_SLURM_SAYS_SO) * beat


def slurm_knows(job: str) -> bool | None:
    """Whether a job is waiting or running; None where Slurm does not answer."""
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
    except PermissionError:  # somebody else's, of which /proc may tell nothing
        return _started(owner.pid) in (owner.started, "")
    return _started(owner.pid) == owner.started


def _machine() -> str:
    """The name of the host does not tell two containers apart, nor a machine from itself before a restart."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return socket.gethostname()


def _started(pid: int) -> str:
    """Field 22 of /proc/<pid>/stat; empty for a process that is gone or only waits for its parent to notice."""
    try:
        state, *fields = re.sub(r".*\) ", "", Path(f"/proc/{pid}/stat").read_text(), flags=re.DOTALL).split()
    except OSError:
        return ""
    return "" if state in "ZX" else fields[18]
