"""One picture of the live view: how far the workflow is, and what each running job said last."""

import time

from rich.console import Console, Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from workflow.view.logs import last_words
from workflow.view.progress import Progress, Running

HEAD = 4  # lines that are not of a job, with one for the cursor


def frame(progress: Progress, console: Console) -> RenderableType:
    """The view as it is now, no higher and no wider than the terminal."""
    whole = progress.whole
    head = Table.grid(padding=(0, 2))
    head.add_column(no_wrap=True)
    head.add_column(no_wrap=True, overflow="ellipsis")
    left = "" if progress.done == whole else f", {about(progress.left)}"
    head.add_row(
        ProgressBar(whole, progress.done, width=20), f"{progress.done} of {whole} jobs, {clock(progress.seconds)}{left}"
    )
    stages = "   ".join(f"{rule} {len(progress.took[rule])}/{number}" for rule, number in progress.jobs.items())
    lines: list[RenderableType] = [head, Text(stages, no_wrap=True, overflow="ellipsis", style="dim")]
    told = [(job, _words(job)) for job in list(progress.running.values())]
    told.sort(key=lambda job_words: job_words[1] is None)  # where there is no room for all, those that say something
    room = console.height - HEAD
    while told and room >= (2 if told[0][1] else 1):
        job, words = told.pop(0)
        lines += _job(job, words)
        room -= 2 if words else 1
    if told:
        lines.append(Text(f"and {len(told)} more", style="dim"))
    return Group(*lines)


def clock(seconds: float) -> str:
    """Hours, minutes and seconds."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"


def about(seconds: float | None) -> str:
    """A time that is left, as exact as it is known."""
    if seconds is None:
        return "time left: known after the first run"
    hours, minutes = divmod(round(seconds / 60), 60)
    if hours >= 10:
        return f"about {round(seconds / 3600)} h left"
    return f"about {hours} h {minutes} min left" if hours else f"about {max(minutes, 1)} min left"


def _words(job: Running) -> str | None:
    return last_words(job.log, job.since, job.name) if job.log else None


def _job(job: Running, words: str | None) -> list[RenderableType]:
    title = Table.grid(expand=True)
    title.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
    title.add_column(justify="right", no_wrap=True)
    title.add_row(Text(job.what, style="bold"), clock(time.time() - job.since))
    return [title, Text(f"  {words}", style="cyan", no_wrap=True, overflow="ellipsis")] if words else [title]
