"""What each stage of a scale depends on, written to files: what DVC watches is then just what records are held against.

A change that no result depends on changes none of these files.
"""

from pathlib import Path
from typing import Any

from fernn.files import write_json
from fernn.jobs import Jobs
from fernn.layout import KEPT, Layout
from fernn.params import Params


def dependencies(jobs: Jobs) -> dict[str, Any]:
    """What each stage depends on besides the results of earlier stages, as plain values, by the name of the stage."""

    def inputs(stage: str) -> dict[str, Any]:
        return {name: job.inputs for name, job in jobs.of(stage).items()}

    return {
        "data": {"files": [path.as_posix() for path in jobs.sources()], "stand_ins": inputs("standins")},
        "datasets": inputs("dataset"),
        **{stage: inputs(stage) for stage in ("train", "evaluate", "tables", "figures", "report")},
    }


def write_dependencies(params: Params, layout: Layout) -> list[Path]:
    """Write them, one file for each stage; returns the files."""
    found = dependencies(Jobs(params, layout))
    for stage, values in found.items():
        write_json(layout.dependencies(stage), values)
    return [layout.dependencies(stage) for stage in found]


def left_behind(params: Params, layout: Layout) -> list[Path]:
    """Results of runs, data sets, tables and figures that the params no longer name: a run of a dropped seed, say."""
    wanted = {path for job in Jobs(params, layout).all.values() for path in (*job.writes, job.record)}
    found = (path for folder in (*KEPT, "superseded") for path in sorted((layout.base / folder).rglob("*")))
    return [path for path in found if path.is_file() and path not in wanted]


def prune(params: Params, layout: Layout) -> list[Path]:
    """Remove what `left_behind` finds, and the folders that it leaves empty; returns the files."""
    gone = left_behind(params, layout)
    for path in gone:
        path.unlink()
        for folder in path.parents:
            if folder == layout.base or any(folder.iterdir()):
                break
            folder.rmdir()
    return gone
