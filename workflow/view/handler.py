"""What all views share: Snakemake's events, and which of its sentences a person is told."""

import logging
import os
import re
from typing import TYPE_CHECKING

from rich.console import Console
from snakemake_interface_logger_plugins.common import LogEvent

if TYPE_CHECKING:
    from snakemake.workflow import Workflow  # which cannot be imported first

# Of what Snakemake says while it works, a person needs these; before, and when it unlocks or lists, all but CHATTER.
NEWS = re.compile("Nothing to be done|Will exit after finishing|Terminating processes")
CHATTER = re.compile("Assuming unrestricted shared filesystem usage")
# these a view says in its own words
SAID_OTHERWISE = re.compile(
    "Exiting because a job execution failed|At least one job did not complete|CalledProcessError"
)


class View(logging.Handler):
    """A handler that is told of a workflow by the events of Snakemake's logger, and shows them on a console."""

    def __init__(self, console: Console, workflow: "Workflow") -> None:
        super().__init__()
        self.console = console
        self.workflow = workflow
        self._at_work = False
        self._wrong = False  # whether an error was told
        self._said = ""  # the last sentence of Snakemake; it says some of them with each job that ends

    def emit(self, record: logging.LogRecord) -> None:
        """Take in what Snakemake says."""
        try:
            event = getattr(record, "event", None)
            self._at_work |= event == LogEvent.WORKFLOW_STARTED
            self.hear(event, record)
            text = record.getMessage() if record.msg else ""
            if record.levelno >= logging.WARNING and event in (None, LogEvent.ERROR):
                error = record.levelno >= logging.ERROR
                self._wrong |= error
                if not SAID_OTHERWISE.search(text):
                    self.say(text, style="red" if error else "yellow")
            elif event is None and text and text != self._said and self._is_news(text):
                self.say(text)
                self._said = text
        except BrokenPipeError:
            raise
        except Exception:
            self.handleError(record)

    def _is_news(self, text: str) -> bool:
        return bool(NEWS.search(text) if self._at_work else not CHATTER.search(text))

    def hear(self, event: LogEvent | None, record: logging.LogRecord) -> None:
        """Do what an event asks for."""

    def say(self, text: str, style: str = "") -> None:
        """Print lines; a terminal wraps long ones, so that they can be copied."""
        self.console.print(text, style=style, soft_wrap=True, markup=False)

    def jobs_by_rule(self, stats: dict[str, int]) -> dict[str, int]:
        """How many jobs there are of each rule; rules that only name what others make do nothing."""
        idle = {rule.name for rule in self.workflow.rules if rule.norun}
        return {rule: number for rule, number in stats.items() if rule not in idle | {"total"}}

    def close(self) -> None:
        """Name Snakemake's own log if something went wrong; a dry run has none."""
        if self._wrong:
            for file in self.workflow.logger_manager.get_logfile():
                self.say(f"Snakemake's own log: {os.path.relpath(file)}")
            self._wrong = False
        super().close()


def counted(number: int) -> str:
    """A number of jobs, in words."""
    return "1 job" if number == 1 else f"{number} jobs"
