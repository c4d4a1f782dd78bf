"""A Snakemake that is asked to stop, by a system that shuts down say, asks its jobs to stop too.

By itself it starts no more jobs and waits for those at work, for hours where they train; a person's Ctrl-C reaches
both. A training that is asked to stop saves its state, and the same command goes on from there.
"""

import signal
from contextlib import suppress
from types import FrameType

import psutil


def pass_on(signum: int = signal.SIGTERM) -> None:
    """From now on, what asks this process to stop is passed on to the programs that it runs."""
    before = signal.getsignal(signum)

    def stop(number: int, frame: FrameType | None) -> None:
        if callable(before):
            before(number, frame)
        for process in psutil.Process().children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                if not process.children():  # a shell ends with what it runs, and tells how that ended
                    process.send_signal(number)

    signal.signal(signum, stop)
