"""How fast a run trains, over all the times that it was started: what `fernn plan` reckons with."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fernn.files import write_json
from fernn.training.progress import TrainingProgress


@contextmanager
def measured(progress: TrainingProgress, file: Path | None, identity: str) -> Iterator[dict[str, Any]]:
    """Measure what is trained inside, and add it to what `file` says of the same run.

    Gives a dictionary that holds, at the end, "steps" and the "seconds" that they took, validation among them. The file
    is brought up to date with each checkpoint: a run that is killed goes on there, with the pace of what it kept. None
    is for workers that leave it to another one.
    """
    pace: dict[str, Any] = {"identity": identity, "steps": 0, "seconds": 0.0}

    def so_far() -> dict[str, Any]:
        return pace | {"steps": pace["steps"] + progress.steps, "seconds": pace["seconds"] + progress.seconds}

    if file is None:
        yield pace
        return
    try:
        before = json.loads(file.read_text(encoding="utf-8"))
        if before["identity"] == identity:
            pace |= before
    except (FileNotFoundError, ValueError, TypeError, KeyError):
        pass  # a first start, or a damaged file, whose loss costs no more than these two figures
    progress.at_save = lambda: write_json(file, so_far())
    try:
        yield pace
    finally:
        pace |= so_far()
        write_json(file, pace)
