"""How far a workflow is."""

import time
from dataclasses import dataclass, field
from pathlib import Path

from workflow.view.time_left import RUNS, TimeLeft


@dataclass(frozen=True)
class Running:
    """A job that was started, or on a cluster submitted.

    Attributes:
        what: its message.
        rule: the stage.
        name: of the run or part; empty where the stage has one job.
        log: its file.
        since: when it was started, in seconds since the epoch.
    """

    what: str
    rule: str
    name: str
    log: Path | None
    since: float


@dataclass
class Progress:
    """What is done, what runs, and about how long the rest takes.

    Attributes:
        jobs: their number, by rule.
        took: seconds of each that is done, by rule.
        running: by Snakemake's number.
        runs: reckons how long trainings and evaluations still take.
        began: when the first job could start, by the monotonic clock.
    """

    jobs: dict[str, int] = field(default_factory=dict)
    took: dict[str, list[float]] = field(default_factory=dict)
    running: dict[int, Running] = field(default_factory=dict)
    runs: TimeLeft | None = None
    began: float = field(default_factory=time.monotonic)
    _abreast: int = 1  # how many jobs ran when the last one had started

    @property
    def seconds(self) -> float:
        """Since the first job could start."""
        return time.monotonic() - self.began

    @property
    def whole(self) -> int:
        """The number of all jobs."""
        return sum(self.jobs.values())

    @property
    def done(self) -> int:
        """The number of jobs that are."""
        return sum(map(len, self.took.values()))

    @property
    def left(self) -> float | None:
        """About how many seconds are left; None while no run tells how long one takes."""
        # where one has ended the next is about to start, if one is left that waits for nothing
        at_once = max(1, min(self._abreast, self.runs.ready)) if self.runs else 1
        runs = self.runs.seconds(at_once) if self.runs else None
        # of other rules, those that are done tell how long the rest takes
        others = {rule: sum(took) / len(took) for rule, took in self.took.items() if rule not in RUNS and took}
        more = sum((self.jobs[rule] - len(self.took[rule])) * seconds for rule, seconds in others.items())
        return None if runs is None else runs + more / at_once

    def start(self, number: int, job: Running) -> None:
        """A job has been started."""
        self.running[number] = job
        self._abreast = len(self.running)

    def finish(self, number: int) -> float | None:
        """A job is done: the seconds that it took; None for one of a rule that does nothing."""
        job = self.running.pop(number, None)
        if job is None:
            return None
        took = time.time() - job.since
        self.took[job.rule].append(took)
        if self.runs:
            self.runs.finished(job.rule, job.name, took)
        return took

    def close(self) -> None:
        """Stop to reckon."""
        if self.runs:
            self.runs.close()
