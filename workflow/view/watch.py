"""A workflow at work: one live view in a terminal, a plain line for each start and end of a job elsewhere."""

import logging
import re
import textwrap
import threading
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.live import Live
from snakemake_interface_logger_plugins.common import LogEvent

from workflow.plan import Plan
from workflow.view.frame import about, clock, frame
from workflow.view.handler import View, counted
from workflow.view.logs import complaint
from workflow.view.progress import Progress, Running
from workflow.view.time_left import TimeLeft

if TYPE_CHECKING:
    from snakemake.workflow import Workflow  # which cannot be imported first


class Watch(View):
    """Follows the jobs of a workflow.

    Attributes:
        progress: how far it is.
        failed: what was told of the jobs that failed, by number.
    """

    def __init__(self, console: Console, workflow: "Workflow", plan: Plan) -> None:
        super().__init__(console, workflow)
        self._plan = plan
        self._live: Live | None = None
        self._ends: dict[int | None, str] = {}  # how a job's process ended, by the thread that waited for it
        self._stopped = False
        self.progress = Progress()
        self.failed: dict[int, str] = {}

    def hear(self, event: LogEvent | None, record: Any) -> None:
        """Take in what became of a job."""
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
        if self.progress.jobs:
            if self._live:
                self._live.stop()
            self.progress.close()
            self.say(self._summary(), style="red" if self.failed and not self._stopped else "")
            self._wrong &= not self._stopped
            self.progress.jobs = {}
        super().close()

    def _begin(self, stats: dict[str, int]) -> None:
        jobs = self.jobs_by_rule(stats)
        wanted = {(job.rule.name, job.wildcards_dict.get("run", "")) for job in self.workflow.dag.needrun_jobs()}
        left = TimeLeft(self._plan.jobs, {(rule, run) for rule, run in wanted if run})
        self.progress = Progress(jobs, {rule: [] for rule in jobs}, runs=left)
        by_rule = ", ".join(f"{number} {rule}" for rule, number in jobs.items())
        self.say(f"{counted(self.progress.whole)} to do: {by_rule}; {self._places()}")
        if self.console.is_interactive and self.console.file.isatty():
            picture = partial(frame, self.progress, self.console)
            self._live = Live(get_renderable=picture, console=self.console, refresh_per_second=2)
            self._live.start()

    def _places(self) -> str:
        settings = self.workflow.resource_settings
        if settings.nodes is not None:
            return f"at most {settings.nodes} at a time on the cluster"
        provided = self.workflow.global_resources
        gpus = f", GPUs: {provided['local_gpu'].value}" if "local_gpu" in provided else ""
        return f"cores: {settings.cores}{gpus}"

    def _start(self, record: Any) -> None:
        what, name = record.rule_msg or record.rule_name, record.wildcards.get("run") or ""
        again = " again" if record.jobid in self.failed else ""
        log = Path(record.log[0]) if record.log else None
        self.progress.start(record.jobid, Running(what, record.rule_name, name, log, time.time()))
        if not self._live:
            self.say(f"Job {record.jobid}{again}: {what}")

    def _finish(self, number: int) -> None:
        progress, took = self.progress, self.progress.finish(number)
        if took is None:
            return
        self.failed.pop(number, None)
        if not self._live:
            left = f"; {about(progress.left)}" if progress.left else ""
            self.say(f"Job {number} done in {clock(took)} ({progress.done} of {progress.whole}{left})")

    def _note(self, record: logging.LogRecord) -> None:
        """What an error says of a job: how its process ended; or that it made no file, of which there is no event."""
        text = record.getMessage()
        if found := re.search(r"(returned non-zero (exit status \d+)|died with [^.]*)\.$", text):
            self._ends[threading.get_ident()] = found[2] or found[1]
        elif found := re.search(r"Job (\d+) completed successfully, but", text):
            self.failed[int(found[1])] = text
            self.progress.running.pop(int(found[1]), None)

    def _fail(self, record: Any) -> None:
        job = self.progress.running.pop(record.jobid, None)
        how = [f"job {record.jobid}"]
        if end := self._ends.pop(threading.get_ident(), None):
            how.append(end)
        if number := record.aux.get("external_jobid"):
            how.append(f"Slurm's {number}")
        what = job.what if job else record.rule_name
        logs = list(dict.fromkeys(record.log))
        lines = complaint(Path(logs[0]), job.since if job else 0) if logs else []
        if self._stopped:  # whoever stopped it needs no log, but what a training says of its checkpoint
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
        progress, whole = self.progress, counted(self.progress.whole)
        if self._stopped:
            return f"Stopped after {progress.done} of {whole}; the same command goes on from there."
        if progress.done == progress.whole:
            return f"{whole} done in {clock(progress.seconds)}."
        return (
            f"{progress.done} of {whole} done, {len(self.failed)} failed; what went wrong stands above. The "
            "same command goes on from there."
        )
