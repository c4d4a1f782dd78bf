"""What a person sees of a workflow: a live view in a terminal, plain lines elsewhere, a table of a dry run.

A handler of Snakemake's logger that takes the events of its interface for logger plugins. It is not registered as a
plugin: Snakemake looks for plugins among installed packages and finds none that is installed in editable mode, as
`make setup` installs this project. Snakemake's own words are in its log file, unchanged.
"""

import logging
import os
import re
import sys
import textwrap
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text
from snakemake.logging import ColorizingTextHandler, logger
from snakemake.settings.enums import Quietness
from snakemake_interface_logger_plugins.common import LogEvent

from fernn.errors import FernnError
from fernn.pipeline.cost import Models, costs, models, rates_of, read_runs
from fernn.pipeline.jobs import Jobs
from workflow.plan import Plan

if TYPE_CHECKING:
    from snakemake.workflow import Workflow  # which cannot be imported first

OURS = {Quietness.HOST, Quietness.REASON}  # profiles/default says so
PIPED = 160  # characters in a line of a table without a terminal
ROWS = 30  # of a dry run; more jobs are grouped by stage and model
HEAD = 4  # lines of the live view that are not of a job, with one for the cursor
# Of what Snakemake says while it works, a person needs NEWS; before, and when it unlocks or lists, all but CHATTER.
NEWS = re.compile("Nothing to be done|Will exit after finishing|Terminating processes")
CHATTER = re.compile("Assuming unrestricted shared filesystem usage")
# a view says these in its own words
SAID_OTHERWISE = re.compile(
    "Exiting because a job execution failed|At least one job did not complete|CalledProcessError"
)
EVERY, PAUSE = 10, 20  # between two estimates: seconds at least, and times as long as one takes
TAIL = 8192  # bytes of a log
CLOCKS = 2  # seconds by which the clock of a file system may be behind
LINES = 12  # of the end of a log that has no message of ours
# words of a training's log, for a narrow line
SHORT = {"train_loss": "loss", "validation_loss": "validation", "validation_accuracy": "accuracy"}


def show(workflow: "Workflow", plan: Plan) -> None:
    """Show this workflow in place of Snakemake's own handler.

    --verbose, --debug-dag, --printshellcmds, --quiet and logger plugins that write to the terminal get Snakemake's own.
    """
    settings = workflow.output_settings
    own_words = settings.verbose or settings.debug_dag or settings.printshellcmds or set(settings.quiet or ()) - OURS
    replaced = [handler for handler in logger.handlers if isinstance(handler, ColorizingTextHandler)]
    if own_words or not replaced:
        return
    for handler in replaced:
        logger.removeHandler(handler)
    stream = sys.stdout if settings.stdout else sys.stderr
    width = None if stream.isatty() or "COLUMNS" in os.environ else PIPED
    console = Console(file=stream, no_color=settings.nocolor or None, width=width, highlight=False, emoji=False)
    logger.addHandler(DryRun(console, workflow, plan) if settings.dryrun else Watch(console, workflow, plan))


class View(logging.Handler):
    """Passes on the messages of Snakemake's logger that a person needs, and its events to `hear`."""

    def __init__(self, console: Console, workflow: "Workflow", plan: Plan) -> None:
        super().__init__()
        self.console, self.workflow, self.plan = console, workflow, plan
        self._working = False
        self._wrong = False  # whether an error was shown
        self._said = ""  # the last message; Snakemake repeats some with each job that ends

    def emit(self, record: logging.LogRecord) -> None:
        """Take a message or an event."""
        try:
            event = getattr(record, "event", None)
            self._working |= event == LogEvent.WORKFLOW_STARTED
            self.hear(event, record)
            text = record.getMessage() if record.msg else ""
            if record.levelno >= logging.WARNING and event in (None, LogEvent.ERROR):
                error = record.levelno >= logging.ERROR
                self._wrong |= error
                if not SAID_OTHERWISE.search(text):
                    self.say(text, style="red" if error else "yellow")
            elif event is None and text not in ("", self._said) and self._is_news(text):
                self.say(text)
                self._said = text
        except BrokenPipeError:
            raise
        except Exception:
            self.handleError(record)

    def _is_news(self, text: str) -> bool:
        return bool(NEWS.search(text) if self._working else not CHATTER.search(text))

    def hear(self, event: LogEvent | None, record: Any) -> None:
        """Take an event."""

    def say(self, text: str, style: str = "") -> None:
        """Print lines; a terminal wraps long ones, so that they can be copied."""
        self.console.print(text, style=style, soft_wrap=True, markup=False)

    def jobs_by_rule(self, stats: dict[str, int]) -> dict[str, int]:
        """The number of jobs of each rule, but for rules that only name the results of others."""
        idle = {rule.name for rule in self.workflow.rules if rule.norun}
        return {rule: number for rule, number in stats.items() if rule not in idle | {"total"}}

    def close(self) -> None:
        """Name Snakemake's own log if something went wrong; a dry run has none."""
        if self._wrong:
            for file in self.workflow.logger_manager.get_logfile():
                self.say(f"Snakemake's own log: {os.path.relpath(file)}")
            self._wrong = False
        super().close()


class DryRun(View):
    """A table of the jobs that would run, and why."""

    def __init__(self, console: Console, workflow: "Workflow", plan: Plan) -> None:
        super().__init__(console, workflow, plan)
        self._jobs: list[tuple[str, str, str]] = []  # message, group, and why

    def hear(self, event: LogEvent | None, record: Any) -> None:
        """Collect the jobs; Snakemake counts them before it goes through them, and at the end."""
        if event == LogEvent.JOB_INFO and record.shellcmd is not None:
            run = self.plan.jobs.runs.get(record.wildcards.get("run", ""))
            of = f"{run.experiment} {run.model}" if run else record.wildcards.get("experiment", "")
            # Snakemake's reason lists files, after a colon each
            why = self.plan.why(record.rule_name, record.wildcards) or str(record.reason).split(":")[0].lower()
            self._jobs.append((record.rule_msg or record.rule_name, f"{record.rule_name} {of}".rstrip(), why))
        elif event == LogEvent.RUN_INFO and self._jobs:
            self._print(self.jobs_by_rule(record.stats))

    def _print(self, jobs: dict[str, int]) -> None:
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        if len(self._jobs) <= ROWS:
            rows = [(message, why) for message, _, why in self._jobs]
        else:
            table.add_column("jobs", justify="right")
            groups = Counter((group, why) for _, group, why in self._jobs)
            stages = list(dict.fromkeys(group.split()[0] for group, _ in groups))
            rows = sorted(groups, key=lambda row: (stages.index(row[0].split()[0]), row))
        table.add_column("job", no_wrap=True, min_width=max(len(job) for job, _ in rows))
        table.add_column("why", no_wrap=True)
        for row in rows:
            number = [str(groups[row])] if len(self._jobs) > ROWS else []
            table.add_row(*number, *map(Text, row))
        self.console.print(table)
        by_rule = ", ".join(f"{number} {rule}" for rule, number in jobs.items())
        self.say(f"Would run {counted(sum(jobs.values()))}: {by_rule}. This was a dry run.")


@dataclass(frozen=True)
class Running:
    """A job that was started, or submitted to a cluster: its message, rule, run, log, and when (`time.time`)."""

    what: str
    rule: str
    run: str
    log: Path | None
    since: float


@dataclass
class Estimate:
    """How long the trainings and evaluations of a workflow still take: the estimate of `fernn plan`.

    Attributes:
        jobs: of the scale.
        open: stage and run of what this workflow has to do.
        clock: seconds.
    """

    jobs: Jobs
    open: set[tuple[str, str]]
    clock: Callable[[], float]
    _work: float | None = None  # seconds of work left, estimated at `_when`
    _when: float = 0.0
    _next: float = 0.0

    def seconds(self, at_once: int) -> float | None:
        """Seconds left if that many jobs run at once; None while no run has finished."""
        still = frozenset(self.open)  # another thread may change it
        if not still:
            return 0.0
        if (now := self.clock()) >= self._next:
            self._work, self._when = self._estimated(still), now
            self._next = now + max(EVERY, PAUSE * (self.clock() - now))
        # an evaluation waits for its training
        ready = sum(stage == "train" or ("train", run) not in still for stage, run in still)
        if self._work is None:
            return None
        return max(0.0, self._work / max(1, min(at_once, ready)) - (now - self._when))

    def _estimated(self, still: frozenset[tuple[str, str]]) -> float | None:
        state = read_runs(self.jobs)
        # the times of results that are rebuilt, by other params or code, say nothing
        state.trained = {run: time for run, time in state.trained.items() if ("train", run.id) not in still}
        state.evaluated = {run: time for run, time in state.evaluated.items() if ("evaluate", run.id) not in still}
        if not any(state.trained.values()):
            return None
        try:
            left = costs(self.jobs.params, state, rates_of(self.jobs.params, state), self._models).left
        except FernnError:  # a package of a model is missing: its training says so
            return None
        return sum(getattr(left[self.jobs.runs[run]], stage) for stage, run in still)

    @cached_property
    def _models(self) -> Models:
        return models(self.jobs.params)


class Watch(View):
    """One live view in a terminal; elsewhere a line for each start and end of a job.

    Attributes:
        jobs: their number by rule.
        done: the number of finished ones by rule.
        running: by Snakemake's number.
        failed: what was said of each failed job, by number.
    """

    def __init__(
        self, console: Console, workflow: "Workflow", plan: Plan, clock: Callable[[], float] = time.time
    ) -> None:
        super().__init__(console, workflow, plan)
        self.clock = clock
        self.jobs: dict[str, int] = {}
        self.done: Counter[str] = Counter()
        self.running: dict[int, Running] = {}
        self.failed: dict[int, str] = {}
        self.estimate = Estimate(plan.jobs, set(), clock)
        self._began = clock()
        self._at_once = 1  # how many jobs ran when the last one had started
        self._live: Live | None = None
        self._ends: dict[int | None, str] = {}  # how a job's process ended, by the thread that waited for it
        self._stopped = False

    def hear(self, event: LogEvent | None, record: Any) -> None:
        """Follow the jobs."""
        if event == LogEvent.RUN_INFO:
            self._begin(record.stats)
        elif event == LogEvent.JOB_INFO and record.shellcmd is not None:
            self._start(record)
        elif event == LogEvent.JOB_FINISHED:
            self._finish(record.job_id)
        elif event == LogEvent.JOB_ERROR:
            self._fail(record)
        elif event == LogEvent.ERROR:
            self._note(record)
        elif re.search("Terminating processes|Will exit after", str(record.msg)):
            self._stopped = True

    def close(self) -> None:
        """Show how it ended."""
        if self.jobs:
            if self._live:
                self._live.stop()
            self.say(self._summary(), style="red" if self.failed and not self._stopped else "")
            self._wrong &= not self._stopped
            self.jobs = {}
        super().close()

    def left(self) -> str:
        """About how long it still takes, in words."""
        seconds = self.estimate.seconds(self._at_once)
        if seconds is None:
            return "time left: known after the first run"
        return about(seconds) if self.estimate.open else ""

    def frame(self) -> RenderableType:
        """The live view at this moment, no higher and no wider than the terminal."""
        whole, done = sum(self.jobs.values()), self.done.total()
        head = Table.grid(padding=(0, 2))
        head.add_column(no_wrap=True)
        head.add_column(no_wrap=True, overflow="ellipsis")
        told = [f"{done} of {whole} jobs", clock(self.clock() - self._began), self.left()]
        head.add_row(ProgressBar(whole, done, width=20), ", ".join(filter(None, told)))
        stages = "   ".join(f"{rule} {self.done[rule]}/{number}" for rule, number in self.jobs.items())
        lines: list[RenderableType] = [head, Text(stages, no_wrap=True, overflow="ellipsis", style="dim")]
        jobs = [(job, last_words(job.log, job.since, job.run) if job.log else None) for job in [*self.running.values()]]
        jobs.sort(key=lambda job: job[1] is None)  # where there is no room for all, those that say something
        room = self.console.height - HEAD
        while jobs and room >= (2 if jobs[0][1] else 1):
            job, words = jobs.pop(0)
            title = Table.grid(expand=True)
            title.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
            title.add_column(justify="right", no_wrap=True)
            title.add_row(Text(job.what, style="bold"), clock(self.clock() - job.since))
            lines.append(title)
            if words:
                lines.append(Text(f"  {words}", style="cyan", no_wrap=True, overflow="ellipsis"))
            room -= 2 if words else 1
        if jobs:
            lines.append(Text(f"and {len(jobs)} more", style="dim"))
        return Group(*lines)

    def _begin(self, stats: dict[str, int]) -> None:
        self.jobs, self._began = self.jobs_by_rule(stats), self.clock()
        wanted = {(job.rule.name, job.wildcards_dict.get("run", "")) for job in self.workflow.dag.needrun_jobs()}
        self.estimate.open = {(rule, run) for rule, run in wanted if run}
        by_rule = ", ".join(f"{number} {rule}" for rule, number in self.jobs.items())
        self.say(f"{counted(sum(self.jobs.values()))} to do: {by_rule}; {self._places()}")
        if self.console.is_interactive and self.console.file.isatty():
            self._live = Live(get_renderable=self.frame, console=self.console, refresh_per_second=2)
            self._live.start()

    def _places(self) -> str:
        settings = self.workflow.resource_settings
        if settings.nodes is not None:
            return f"at most {settings.nodes} at a time on the cluster"
        provided = self.workflow.global_resources
        gpus = f", GPUs: {provided['local_gpu'].value}" if "local_gpu" in provided else ""
        return f"cores: {settings.cores}{gpus}"

    def _start(self, record: Any) -> None:
        what, run = record.rule_msg or record.rule_name, record.wildcards.get("run") or ""
        again = " again" if record.jobid in self.failed else ""
        log = Path(record.log[0]) if record.log else None
        self.running[record.jobid] = Running(what, record.rule_name, run, log, self.clock())
        self._at_once = len(self.running)
        if not self._live:
            self.say(f"Job {record.jobid}{again}: {what}")

    def _finish(self, number: int) -> None:
        job = self.running.pop(number, None)
        if job is None:  # of a rule that does nothing
            return
        self.failed.pop(number, None)
        self.done[job.rule] += 1
        self.estimate.open.discard((job.rule, job.run))
        if not self._live:
            seconds = self.estimate.seconds(self._at_once)
            left = f"; {about(seconds)}" if seconds else ""
            done = f"{self.done.total()} of {sum(self.jobs.values())}"
            self.say(f"Job {number} done in {clock(self.clock() - job.since)} ({done}{left})")

    def _note(self, record: logging.LogRecord) -> None:
        """What an error says of a job: how its process ended; or that it made no file, of which there is no event."""
        text = record.getMessage()
        if found := re.search(r"(returned non-zero (exit status \d+)|died with [^.]*)\.$", text):
            self._ends[threading.get_ident()] = found[2] or found[1]
        elif found := re.search(r"Job (\d+) completed successfully, but", text):
            self.failed[int(found[1])] = text
            self.running.pop(int(found[1]), None)

    def _fail(self, record: Any) -> None:
        job = self.running.pop(record.jobid, None)
        how = [f"job {record.jobid}"]
        if end := self._ends.pop(threading.get_ident(), None):
            how.append(end)
        if number := record.aux.get("external_jobid"):
            how.append(f"Slurm's {number}")
        what = job.what if job else record.rule_name
        logs = list(dict.fromkeys(record.log))
        lines = complaint(Path(logs[0]), job.since if job else 0) if logs else []
        if self._stopped:  # by the user, who needs no log, but what a training says of its checkpoint
            self.say("\n  ".join([f"Stopped: {what}", *(line for line in lines if line.startswith("fernn: "))]))
            return
        told, head = "\n".join(lines), f"{what} ({', '.join(how)})"
        if self.failed.get(record.jobid) == told:
            self.say(f"Failed again, in the same way: {head}", style="red")
        else:
            # what Slurm says of it, if anything, goes before what the job says
            more = [*filter(None, [record.rule_msg]), *lines, *(f"log: {log}" for log in logs)]
            self.say("\n".join([f"Failed: {head}", textwrap.indent("\n".join(more), "  ")]), style="red")
        self.failed[record.jobid] = told

    def _summary(self) -> str:
        done, whole = self.done.total(), sum(self.jobs.values())
        if self._stopped:
            return f"Stopped after {done} of {counted(whole)}; the same command goes on from there."
        if not (done or self.failed or self.running):
            return "Nothing was begun."
        if done == whole:
            return f"{counted(whole)} done in {clock(self.clock() - self._began)}."
        return (
            f"{done} of {counted(whole)} done, {len(self.failed)} failed; what went wrong stands above. The same "
            "command goes on from there."
        )


def last_words(log: Path, since: float, run: str) -> str | None:
    """The last line of a job's log in short words and without the run; None if there is none since that time."""
    for line in reversed(_end_of(log, since) or []):
        if words := line.removeprefix(run).lstrip(": "):
            for long, short in SHORT.items():
                words = words.replace(long, short)
            return words
    return None


def complaint(log: Path, since: float = 0) -> list[str]:
    """What went wrong since that time: the last message of `fernn` in a log, or the end of a log that has none."""
    lines = _end_of(log, since)
    if lines is None:
        return ["it wrote no log"]
    for number, line in reversed(list(enumerate(lines))):
        if line.startswith("fernn: "):
            return lines[number:]
    return lines[-LINES:] or ["its log is empty"]


def _end_of(log: Path, since: float) -> list[str] | None:
    """The last lines of a log; None if there is no log, or an older one: of another try."""
    try:
        if log.stat().st_mtime < since - CLOCKS:
            return None
        with open(log, "rb") as file:
            file.seek(max(0, log.stat().st_size - TAIL))
            return file.read().decode("utf-8", errors="replace").splitlines()
    except OSError:
        return None


def clock(seconds: float) -> str:
    """Hours, minutes and seconds."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"


def about(seconds: float) -> str:
    """A time that is left, as exact as it is known."""
    hours, minutes = divmod(round(seconds / 60), 60)
    if hours >= 10:
        return f"about {round(seconds / 3600)} h left"
    return f"about {hours} h {minutes} min left" if hours else f"about {max(minutes, 1)} min left"


def counted(number: int) -> str:
    """A number of jobs, in words."""
    return "1 job" if number == 1 else f"{number} jobs"
