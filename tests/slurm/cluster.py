"""A real Slurm of two nodes on this one machine, with three fake GPUs, for as long as a context lasts."""

import ctypes
import fcntl
import getpass
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

CONFIGURATION = Path("/etc/slurm/slurm.conf")  # jobs are not told of another place
OURS = "# written by make test-slurm, which removes it"
PROGRAMS = ("munged", "slurmctld", "slurmd", "squeue", "sbatch")
INSTALL = "Debian, Ubuntu: apt-get install --no-install-recommends slurm-wlm munge"
GPUS = {"n1": ["/dev/zero", "/dev/full"], "n2": ["/dev/zero"]}  # any device file will do
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36  # linux/prctl.h


@dataclass
class Cluster:
    """The cluster under way.

    Attributes:
        folder: its state and its logs.
        daemons: its processes by name: "munged", "slurmctld", and the nodes "n1" and "n2".
    """

    folder: Path
    daemons: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def ask(self, *command: str) -> str:
        """What a command of Slurm answers; it must succeed."""
        ended = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert ended.returncode == 0, f"{' '.join(command)}\n{ended.stdout}{ended.stderr}"
        return ended.stdout

    def jobs(self, folder: Path, states: str = "RUNNING") -> dict[str, tuple[str, str]]:
        """Jobs that were started in a folder: comment and node, by number."""
        lines = self.ask("squeue", "--noheader", f"--states={states}", "--format=%i|%Z|%k|%N").splitlines()
        rows = [line.split("|") for line in lines]
        return {job: (comment, node) for job, where, comment, node in rows if Path(where) == folder}

    def gpu_uses(self) -> list[tuple[str, str, str]]:
        """What the nodes have noted: (begin or end, node/GPU, job), in order."""
        lines = (self.folder / "gpus.log").read_text().splitlines() if (self.folder / "gpus.log").exists() else []
        found = [line.split() for line in lines]
        return [
            (what, f"{node}/{gpu}", job)
            for what, node, job, gpus in (line for line in found if len(line) == 4)
            for gpu in gpus.split(",")
        ]

    def start_node(self, name: str) -> None:
        """Start a node's daemon."""
        self._start(name, "slurmd", "-D", "-N", name)

    def wait_for_nodes(self) -> None:
        """Return when both take jobs."""
        until(lambda: self.ask("sinfo", "-h", "-N", "-o", "%t").split() == ["idle"] * 2, 120, "two idle nodes")

    def _start(self, name: str, program: str, *arguments: str) -> None:
        with open(self.folder / f"{name}.out", "ab") as out:
            self.daemons[name] = subprocess.Popen(
                [_which(program) or program, *arguments], stdout=out, stderr=out, preexec_fn=_die_with_parent
            )

    def start(self) -> None:
        """Start all of it; returns when it takes jobs. AssertionError if this machine cannot have a cluster."""
        missing = [program for program in PROGRAMS if _which(program) is None]
        assert not missing, f"{', '.join(missing)} not found. {INSTALL}"
        assert getpass.getuser() == "root", f"only root can start it here, since jobs look for {CONFIGURATION}"
        ours = not CONFIGURATION.exists() or OURS in CONFIGURATION.read_text()
        assert ours, f"{CONFIGURATION} is there already: this machine belongs to a cluster, which stays as it is"
        key = self.folder / "munge.key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o400)
        files = [f"--{what}-file={self.folder}/munge.{what}" for what in ("key", "pid", "log", "seed")]
        self._start("munged", "munged", "--foreground", "--force", f"--socket={self.folder}/munge.socket", *files)
        until((self.folder / "munge.socket").exists, 30, "munged")
        for when, word in (("prolog", "begin"), ("epilog", "end")):
            script = self.folder / when
            noted = f'{word} "$SLURMD_NODENAME" "$SLURM_JOB_ID" "$SLURM_JOB_GPUS"'
            script.write_text(f"#!/bin/sh\necho {noted} >> {self.folder}/gpus.log\n")
            script.chmod(0o755)
        CONFIGURATION.parent.mkdir(parents=True, exist_ok=True)
        CONFIGURATION.write_text(configuration(self.folder))
        gres = [f"NodeName={node} Name=gpu File={file}" for node, files in GPUS.items() for file in files]
        CONFIGURATION.with_name("gres.conf").write_text("\n".join([OURS, *gres]) + "\n")
        self._start("slurmctld", "slurmctld", "-D", "-c")
        until(lambda: _succeeds("scontrol", "ping") and "UP" in self.ask("scontrol", "ping"), 60, "slurmctld")
        for node in GPUS:
            self.start_node(node)
        self.wait_for_nodes()

    def stop(self) -> None:
        """End its jobs, its daemons, and whatever else came of them."""
        if "slurmctld" in self.daemons:
            subprocess.run(["scancel", "--user=root"], capture_output=True, timeout=60)
            with suppress(AssertionError, TimeoutError, subprocess.TimeoutExpired):  # what is left is killed in the end
                until(lambda: not self.ask("squeue", "-h").strip(), 30, "an empty queue")
        for daemon in reversed(list(self.daemons.values())):
            daemon.terminate()
        for daemon in self.daemons.values():
            try:
                daemon.wait(10)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()
        for name in ("slurm.conf", "gres.conf"):
            file = CONFIGURATION.with_name(name)
            if file.exists() and OURS in file.read_text():
                file.unlink()


@contextmanager
def cluster(folder: Path) -> Iterator[Cluster]:
    """A cluster that is gone afterwards, whatever happens."""
    # what its daemons leave behind becomes a child of this process, and so is found
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    before = psutil.Process().children()
    made = Cluster(folder)
    with open(Path(tempfile.gettempdir()) / "fernn-test-slurm.lock", "w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)  # one at a time on a machine
        try:
            made.start()
            yield made
        finally:
            made.stop()
            for child in {*psutil.Process().children()} - {*before}:
                child.kill()
                child.wait()


def until(condition: Callable[[], bool], seconds: float, what: str) -> None:
    """Wait for something to become true."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"after {seconds:.0f} s still no {what}")
        time.sleep(0.2)


def configuration(folder: Path) -> str:
    """slurm.conf: no database, quick decisions, and a finished job remembered for longer than any test."""
    first, second, controller = free_ports(3)
    host = socket.gethostname()
    node = f"NodeHostname={host} NodeAddr=127.0.0.1 CPUs=4 RealMemory=16000"
    return f"""{OURS}
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller}
SlurmUser=root
SlurmdUser=root
AuthInfo=socket={folder}/munge.socket
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
Prolog={folder}/prolog
Epilog={folder}/epilog
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SlurmdParameters=config_overrides
SchedulerParameters=bf_interval=5,sched_interval=5
ReturnToService=2
SlurmdTimeout=300
KillWait=10
MinJobAge=3600
GresTypes=gpu
NodeName=n1 Port={first} Gres=gpu:{len(GPUS["n1"])} {node}
NodeName=n2 Port={second} Gres=gpu:{len(GPUS["n2"])} {node}
PartitionName=all Nodes=n1,n2 Default=YES MaxTime=INFINITE State=UP
"""


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def _which(program: str) -> str | None:
    return shutil.which(program, path=os.environ["PATH"] + ":/usr/sbin:/sbin")


def _succeeds(*command: str) -> bool:
    return subprocess.run(command, capture_output=True, timeout=60).returncode == 0


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
