"""`snakemake -n`: a table of the jobs that would run, and why."""

from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text
from snakemake_interface_logger_plugins.common import LogEvent

from workflow.plan import Plan
from workflow.view.handler import View, counted

if TYPE_CHECKING:
    from snakemake.workflow import Workflow  # which cannot be imported first


class DryRun(View):
    """Collects the jobs of a dry run and prints them at its end."""

    def __init__(self, console: Console, workflow: "Workflow", plan: Plan) -> None:
        super().__init__(console, workflow)
        self._plan = plan
        self._rows: list[tuple[str, str]] = []

    def hear(self, event: LogEvent | None, record: Any) -> None:
        """Take in a job, or the end: Snakemake counts the jobs before it goes through them, and after."""
        if event == LogEvent.JOB_INFO and record.shellcmd is not None:
            self._rows.append((record.rule_msg or record.rule_name, self._why(record)))
        elif event == LogEvent.RUN_INFO and self._rows:
            self._print(self.jobs_by_rule(record.stats))

    def _why(self, record: Any) -> str:
        # Snakemake's reason lists files, after a colon each
        return self._plan.why(record.rule_name, record.wildcards) or str(record.reason).split(":")[0].lower()

    def _print(self, jobs: dict[str, int]) -> None:
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        table.add_column("job", no_wrap=True, min_width=max(len(job) for job, _ in self._rows))
        table.add_column("why", no_wrap=True)
        for job, why in self._rows:
            table.add_row(Text(job), Text(why))
        self.console.print(table)
        by_rule = ", ".join(f"{number} {rule}" for rule, number in jobs.items())
        self.say(f"Would run {counted(sum(jobs.values()))}: {by_rule}. This was a dry run.")
