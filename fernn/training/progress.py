"""What a person sees of a training, and how fast it runs: a bar on a terminal, one line for each epoch in a log."""

import json
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from fernn.files import write_json
from fernn.training.checkpoint import Checkpoint

# seconds between looks at the loss, each of which waits for the device
LOOK, LOOK_IN_LOG = 1.0, 60.0
COUNTS = ("epoch", "step")  # of a history; the rest of it are measures


class TrainingProgress:
    """Shows a training on standard error and measures its throughput; used as a context."""

    def __init__(
        self, name: str, console: Console | None = None, pace_file: Path | None = None, identity: str = ""
    ) -> None:
        """Show a training.

        Args:
            name: of the run.
            console: standard error if not given.
            pace_file: keeps steps and seconds over all starts of the run, up to its last checkpoint.
            identity: of the run; a file of another one counts for nothing.
        """
        self.console = console or Console(stderr=True)
        self.name = name
        self.steps, self.seconds = 0, 0.0  # of this process, in batches, and the time that they took
        self._pace_file = pace_file
        self._earlier: dict[str, Any] = {"identity": identity, "steps": 0, "seconds": 0.0}
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[losses]}"),
            console=self.console,
            disable=not self.console.is_terminal,
        )

    def __enter__(self) -> Self:
        if self._pace_file:
            try:
                found = json.loads(self._pace_file.read_text(encoding="utf-8"))
                if found["identity"] == self._earlier["identity"]:
                    self._earlier |= found
            except (FileNotFoundError, ValueError, TypeError, KeyError):
                pass  # a first start, or a corrupt file, whose loss costs no more than these two values
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._write_pace()
        self._bar.stop()

    @property
    def pace(self) -> dict[str, Any]:
        """The "steps" of all starts of the run, and the "seconds" that they took, validation included."""
        steps, seconds = self._earlier["steps"] + self.steps, self._earlier["seconds"] + self.seconds
        return {**self._earlier, "steps": steps, "seconds": seconds}

    def start(self, epochs: int, batches: int, state: Checkpoint) -> None:
        """Say where the training starts."""
        self._epochs, self._batches = epochs, batches
        self._began, self._done_before = time.monotonic(), state.epoch * batches + state.batch
        self._looked = self._began
        self._validated = self._saved = ""
        self._task = self._bar.add_task(self.name, total=epochs * batches, completed=self._done_before, losses="")
        if self._done_before:
            self.say(f"{self.name}: goes on after epoch {state.epoch}, batch {state.batch} of {batches}")

    def batch(self, state: Checkpoint) -> None:
        """Count a batch; look at its loss now and then only, since that waits for the device."""
        self._count(state)
        self._bar.update(self._task, completed=state.epoch * self._batches + state.batch)
        if time.monotonic() - self._looked < (LOOK if self.console.is_terminal else LOOK_IN_LOG):
            return
        self._looked = time.monotonic()
        loss = state.loss_sum.item() / state.batch
        if self.console.is_terminal:
            self._bar.update(self._task, losses=f"loss {loss:.3e}{self._validated}{self._saved}")
        else:
            where = f"epoch {state.epoch + 1}/{self._epochs}, batch {state.batch}/{self._batches}"
            self.say(f"{self.name}  {where}  train_loss {loss:.4g}{self._saved}")

    def saved(self, state: Checkpoint) -> None:
        """Keep the pace up to a checkpoint, and its time, to be shown with the next losses."""
        self._count(state)
        self._saved = time.strftime(", saved at %H:%M")
        self._write_pace()

    def epoch(self, state: Checkpoint) -> None:
        """Show the measures of an epoch and the time left."""
        self._count(state)
        measures = state.history[-1]
        self._validated = f", validation {measures['validation_loss']:.3e}"
        left = round(self.seconds / max(self.steps, 1) * (self._epochs - state.epoch) * self._batches)
        shown = "  ".join(f"{name} {value:.4g}" for name, value in measures.items() if name not in COUNTS)
        best = "  best" if state.best_epoch == state.epoch else ""
        clock = f"{left // 3600}:{left // 60 % 60:02d}:{left % 60:02d}"
        self.say(f"{self.name}  epoch {state.epoch}/{self._epochs}  {shown}  {clock} left{best}")

    def tell(self, line: str) -> None:
        """Print a line about this run."""
        self.say(f"{self.name}: {line}")

    def say(self, line: str) -> None:
        """Print a line above the bar, or in the log."""
        self.console.print(line, soft_wrap=True, highlight=False, markup=False)

    def _count(self, state: Checkpoint) -> None:
        self.steps = state.epoch * self._batches + state.batch - self._done_before
        self.seconds = time.monotonic() - self._began

    def _write_pace(self) -> None:
        if self._pace_file:
            write_json(self._pace_file, self.pace)
