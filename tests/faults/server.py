"""Runs commands of `fernn` in forked children, so that a thousand of them load their libraries once.

One request a line on standard input, as JSON; one answer a line. A child stops, or fails, at the operation on files
that the request names: Python reports each one beforehand (`sys.addaudithook`).
"""

import importlib
import json
import os
import pkgutil
import resource
import signal
import sys
import tempfile
import threading
import time
import traceback
from pathlib import Path
from typing import Any

CHANGES = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "os.symlink", "os.truncate", "os.chmod"}
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
ENDED_BY_FAULT = 137
# what commands import when they need it
LATER = ("matplotlib.backends.backend_agg", "matplotlib.backends.backend_pdf", "av", "dulwich.porcelain")
LATER += ("torch._dynamo",)


class Injected:
    """Counts the operations that change files in a folder, and does at one of them what is asked for."""

    def __init__(self, folder: str, fault: dict[str, Any]) -> None:
        self.folder, self.fault, self.count = os.path.realpath(folder), fault, 0
        self.process = os.getpid()

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if os.getpid() != self.process or not self._counts(event, arguments):
            return
        self.count += 1
        if self.fault["kind"] == "crash" and self.count == self.fault["at"]:
            os._exit(ENDED_BY_FAULT)  # what is in the process's own buffers is lost, as with kill -9
        if self.fault["kind"] == "error" and self.count >= self.fault["at"] and event not in ("os.remove", "os.rmdir"):
            number = self.fault["errno"]
            raise OSError(number, os.strerror(number), arguments[0])  # a disk stays full, but things can be removed

    def _counts(self, event: str, arguments: tuple[Any, ...]) -> bool:
        if event == "open":
            path, _, flags = arguments
            if not isinstance(flags, int) or not flags & WRITING:
                return False
        elif event in CHANGES:
            path = arguments[0]
        else:
            return False
        if not isinstance(path, str | bytes | os.PathLike):
            return False
        return os.path.realpath(os.fsdecode(path)).startswith(self.folder + os.sep)


def run(request: dict[str, Any]) -> dict[str, Any]:
    """A command in a child: its exit status, what it said, and how many operations it did."""
    with tempfile.TemporaryFile("w+") as said, tempfile.TemporaryFile("w+") as told:
        child = os.fork()
        if child == 0:
            _command(request, said.fileno(), told)
        if request["fault"]["kind"] == "kill":
            killer = threading.Timer(request["fault"]["after"], os.kill, [child, signal.SIGKILL])
            killer.start()
        began = time.monotonic()
        _, status = os.waitpid(child, 0)
        took = time.monotonic() - began
        if request["fault"]["kind"] == "kill":
            killer.cancel()
        said.seek(0)
        told.seek(0)
        return {
            "status": os.waitstatus_to_exitcode(status),
            "said": said.read(),
            "operations": int(told.read() or 0),
            "seconds": took,
        }


def _command(request: dict[str, Any], said: int, told: Any) -> None:
    from fernn import cli

    status = 70
    try:
        os.dup2(said, 1)
        os.dup2(said, 2)
        os.chdir(request["folder"])
        sys.argv = ["fernn", *request["arguments"]]
        if request["fault"]["kind"] == "limit":  # a file may not grow beyond: writes fail, in whatever language
            resource.setrlimit(resource.RLIMIT_FSIZE, (request["fault"]["bytes"], resource.RLIM_INFINITY))
        injected = Injected(request["folder"], request["fault"])
        sys.addaudithook(injected)
        try:
            cli.main()
            status = 0
        except SystemExit as ended:
            status = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
        told.write(str(injected.count))
        told.flush()
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _load() -> None:
    """All that commands import: what is loaded here is not loaded in each child."""
    import fernn

    for module in pkgutil.walk_packages(fernn.__path__, "fernn."):
        importlib.import_module(module.name)
    for name in LATER:
        importlib.import_module(name)
    import torch

    from fernn.experiments import load_params
    from fernn.layout import Layout
    from fernn.models import RotationPredictor
    from fernn.pipeline.jobs import Jobs

    Jobs(load_params("params.yaml", "quick"), Layout("quick")).find("tables")  # all code is read for its digests
    torch.set_num_threads(1)  # a pool of threads would not be there in the children
    RotationPredictor("V0R", 90, fields=1, group_order=4, decoder_layers=0)  # imports escnn lazily, as the library does


def main() -> None:
    """Answer requests until there are no more."""
    _load()
    print(json.dumps({"ready": str(Path(sys.argv[0]).name)}), flush=True)
    for line in sys.stdin:
        print(json.dumps(run(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
