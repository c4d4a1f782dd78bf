"""The progress of downloads: bars on a terminal, plain lines in a log."""

import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.filesize import decimal
from rich.progress import BarColumn, DownloadColumn, TaskID, TextColumn, TimeRemainingColumn, TransferSpeedColumn
from rich.progress import Progress as Bars


class ShowProgress:
    """A `Progress` callback for all files of a `with` block; a log gets a line per file and `interval` seconds."""

    def __init__(self, console: Console | None = None, interval: float = 10.0) -> None:
        self.console = console or Console(stderr=True)
        self.interval = interval
        self.tasks: dict[str, TaskID] = {}
        self.told: dict[str, float] = {}
        self.bars = Bars(
            TextColumn("{task.description}"),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
            console=self.console,
            disable=not self.console.is_terminal,
        )

    def __enter__(self) -> Self:
        self.bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.bars.stop()

    def __call__(self, name: str, done: int, total: int | None) -> None:
        """Show that `done` of `total` bytes (None: unknown) of the file `name` are there."""
        if self.console.is_terminal:
            if name not in self.tasks:
                self.tasks[name] = self.bars.add_task(name)
            self.bars.update(self.tasks[name], completed=done, total=total)
        elif done == total or time.monotonic() - self.told.get(name, -self.interval) >= self.interval:
            self.told[name] = time.monotonic()
            of = decimal(total) if total is not None else "unknown size"
            # a log is read by the line: no wrapping, no colours
            self.console.print(f"{name}: {decimal(done)} of {of}", soft_wrap=True, highlight=False, markup=False)
