"""Starting the workers of a training on one machine, by torch's own launcher; and what becomes of them."""

import ctypes
import logging
import os
import signal
import sys
import time
from collections.abc import Callable
from typing import Any

import torch
import torch.distributed as dist
from torch.distributed.elastic.multiprocessing.api import SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError, record
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from fernn.errors import FernnError, explain
from fernn.training.workers import joined

TO_SAVE = 300  # seconds that workers have for the batch in hand and their checkpoint, once they were asked to stop
TO_BE_SEEN = 10  # seconds within which the launcher sees which worker ended first
_HANDLED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)
_PR_SET_PDEATHSIG = 1  # prctl.h of Linux


class StoppedError(Exception):
    """The workers were asked to stop, and have."""

    def __init__(self, signum: int) -> None:
        super().__init__(signal.Signals(signum).name)
        self.signum = signum


def launch(count: int, work: Callable[..., Any], *arguments: Any) -> Any:
    """Call work(workers, device, *arguments) in so many processes; returns what the first one returned.

    Each has a GPU of its own of those that this process sees, or none where there is none. If one dies, torch's
    launcher asks the others to stop, and kills them after half a minute; if this process dies, they are killed with it.
    SIGTERM and SIGINT are passed on to them.

    Args:
        count: of processes.
        work: a function of a module, as a new Python has to find it.
        arguments: what can be pickled.

    Raises:
        StoppedError: if they were asked to stop.
        FernnError: with the error of the first that ended by one, or the signal that it died of.
    """
    for name in ("torch.distributed.elastic", "torch.multiprocessing.spawn"):
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)  # what they have to tell is told here, in fewer lines
    # each would warn of a look for unused weights, which is for the order of sums (`Workers.engine`)
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=count,
        run_id="fernn",
        rdzv_backend="c10d",
        rdzv_endpoint="localhost:0",
        local_addr="localhost",
        max_restarts=0,  # whoever starts trainings starts this one again
        shutdown_timeout=TO_SAVE,
    )
    config.numa_options = None  # which it chooses by itself where all GPUs are taken; not tried
    handlers = {number: signal.getsignal(number) for number in _HANDLED}
    try:
        return elastic_launch(config, _entry)(work, arguments)[0]
    except SignalException as error:
        raise StoppedError(error.sigval) from None
    except ChildFailedError as error:
        rank, failure = error.get_first_failure()
        if failure.exitcode > 128:
            raise StoppedError(failure.exitcode - 128) from None
        raise FernnError(_told(rank, count, failure)) from None
    finally:  # the launcher leaves its own
        for number, handler in handlers.items():
            signal.signal(number, handler)


@record
def _entry(work: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    """One of the processes."""
    _die_with_parent()
    device = torch.device("cuda", int(os.environ["LOCAL_RANK"])) if torch.cuda.is_available() else torch.device("cpu")
    try:
        with joined(device) as workers:
            return work(workers, device, *arguments)
    except FernnError:
        raise
    except Exception as error:
        if (signum := getattr(error, "signum", None)) is not None:  # what there is to save is saved
            sys.stdout.flush()
            os._exit(128 + signum)
        if isinstance(error, dist.DistError) or "gloo" in str(error):
            time.sleep(TO_BE_SEEN)  # another one has ended: that is the one to be told of
        raise FernnError(explain(error) or f"{type(error).__name__}: {error}") from error


def _told(rank: int, count: int, failure: Any) -> str:
    name = f"worker {rank} of {count}"
    if failure.exitcode < 0:
        return (
            f"{name} died of {signal.Signals(-failure.exitcode).name}, and the others were ended. SIGKILL is mostly "
            "for want of memory. The same command goes on from the last checkpoint."
        )
    found = failure.message["message"] if isinstance(failure.message, dict) else str(failure.message)
    return f"{name}: {found.removeprefix('FernnError: ')}"


def _die_with_parent() -> None:
    """Let the system kill this process when its parent has died: nobody would stop it, and another may take its run."""
    if sys.platform == "linux":
        parent = os.getppid()
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # dead already
            os._exit(1)
