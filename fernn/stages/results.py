"""The stages that make tables and figures of finished runs."""

from collections.abc import Callable
from pathlib import Path

from fernn.jobs import Jobs
from fernn.layout import Layout
from fernn.params import Params
from fernn.results.figures.writing import write_figures
from fernn.results.reading.selection import select
from fernn.results.tables.writing import write_tables
from fernn.stages.making import making


def make_tables(params: Params, layout: Layout, planned: str | None = None) -> list[Path]:
    """Write the tables and their record; returns the files. See `fernn.results.tables.writing.write_tables`."""
    return _results("tables", write_tables, params, layout, planned)


def make_figures(params: Params, layout: Layout, planned: str | None = None) -> list[Path]:
    """Draw the figures and write their record; returns the files. See `fernn.results.figures.writing.write_figures`."""
    return _results("figures", write_figures, params, layout, planned)


def _results(kind: str, write: Callable[..., None], params: Params, layout: Layout, planned: str | None) -> list[Path]:
    jobs = Jobs(params, layout)
    job = jobs.find(kind)
    with making(jobs, job, planned) as task:
        if task:
            task.check(jobs)
            write(params, layout, jobs.experiments, select(params, layout, jobs.experiments))
            task.check(jobs)
    return [*job.writes, job.record]
