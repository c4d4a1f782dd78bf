"""The progress of downloads: bars on a terminal, plain lines in a log."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.filesize import decimal
from rich.progress import BarColumn, DownloadColumn, TaskID, TextColumn, TimeRemainingColumn, TransferSpeedColumn
from rich.progress import Progress as Bars

from fernn.data.transfer import Progress


@contextmanager
def show_progress(console: Console | None = None, interval: float = 10.0) -> Iterator[Progress]:
    """Gives a `Progress` for all files of a `with` block; a log gets a line per file and `interval` seconds."""
    console = console or Console(stderr=True)
    tasks: dict[str, TaskID] = {}
    told: dict[str, float] = {}
    columns = TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn()
    with Bars(*columns, TimeRemainingColumn(), console=console, disable=not console.is_terminal) as bars:

        def show(name: str, done: int, total: int | None) -> None:
            if console.is_terminal:
                if name not in tasks:
                    tasks[name] = bars.add_task(name)
                bars.update(tasks[name], completed=done, total=total)
            elif done == total or time.monotonic() - told.get(name, -interval) >= interval:
                told[name] = time.monotonic()
                of = decimal(total) if total is not None else "unknown size"
                # a log is read by the line: no wrapping, no colours
                console.print(f"{name}: {decimal(done)} of {of}", soft_wrap=True, highlight=False, markup=False)

        yield show
