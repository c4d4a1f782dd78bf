"""How long a workflow still takes, by what `fernn plan` reckons with: the times of runs that have finished."""

import threading
import time
from functools import cached_property
from operator import attrgetter
from statistics import median

from fernn.errors import FernnError
from fernn.pipeline.jobs import Jobs
from fernn.pipeline.preflight.costs import costs
from fernn.pipeline.preflight.operations import Models, Speed, models
from fernn.pipeline.preflight.state import State, state_of_runs
from fernn.runs import Run

RUNS = ("train", "evaluate")  # the stages whose time is reckoned
ONE = Speed(1.0)  # at which a second is an operation
EVERY = 10  # seconds between two looks at the files of the runs
PAUSE = 20  # times what a look took, at least: it reads the records of all runs, and there may be thousands


class TimeLeft:
    """Reckons, in a thread of its own, what the trainings and evaluations of a workflow still take.

    A model that has finished a run costs what that took. Others cost what they are counted to, in the proportion found
    in their experiment, or in all experiments while theirs has no finished run. What is done of a training its
    checkpoint tells. A job takes longer than its work, by what it takes to start: of many small ones, that is most.
    """

    def __init__(self, jobs: Jobs, open_jobs: set[tuple[str, str]]) -> None:
        """Begin to reckon.

        Args:
            jobs: of the scale.
            open_jobs: stage and run of all that the workflow has to do.
        """
        self._jobs = jobs
        self._open = open_jobs
        self._took: dict[str, float] = {}  # seconds of the jobs that trained a run
        self._known: tuple[float, float] | None = None  # seconds of work, and when that was reckoned
        self._look = threading.Event()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._reckon, daemon=True)
        if open_jobs:
            self._thread.start()

    def finished(self, stage: str, run: str, took: float) -> None:
        """Say that a job is done, and how many seconds it took."""
        self._open.discard((stage, run))
        if stage == "train":
            self._took[run] = took
        self._look.set()

    @property
    def ready(self) -> int:
        """The number of trainings, and of evaluations of trained runs, that run or could: all others wait for these."""
        still = frozenset(self._open)
        return sum(stage == "train" or ("train", run) not in still for stage, run in still)

    def close(self) -> None:
        """Stop to reckon. Waits for what is under way: torch does not bear to be left in the middle at an exit."""
        self._over.set()
        self._look.set()
        if self._thread.is_alive():
            self._thread.join()

    def seconds(self, at_once: int) -> float | None:
        """About how many seconds are left if so many jobs run at once; None while no run tells how long one takes."""
        if not self._open:
            return 0.0
        if self._known is None:
            return None
        work, when = self._known
        return max(0.0, work / at_once - (time.monotonic() - when))

    def _reckon(self) -> None:
        while not self._over.is_set():
            began = time.monotonic()
            state, still = state_of_runs(self._jobs), frozenset(self._open)
            # the times of results that are made again, by other params or code, say nothing
            state.trained = {run: time for run, time in state.trained.items() if ("train", run.id) not in still}
            state.evaluated = {run: time for run, time in state.evaluated.items() if ("evaluate", run.id) not in still}
            timed = {run: seconds for run, seconds in state.trained.items() if seconds}
            if timed:
                try:
                    speed = sum(self._operations[run] for run in timed) / sum(timed.values())
                except FernnError:  # a package is not there: the trainings say so, and there is nothing to reckon
                    return
                left = costs(self._jobs.params, state, Speed(speed), self._models).left
                hours = sum(getattr(cost, stage) for run, cost in left.items() for stage in self._stages(run.id, still))
                self._known = 3600 * hours + self._starts(state, still) * self._beside(timed), time.monotonic()
            self._over.wait(PAUSE * (time.monotonic() - began))
            self._look.wait(EVERY)
            self._look.clear()

    def _starts(self, state: State, still: frozenset[tuple[str, str]]) -> int:
        """How many jobs start whose time is that of their work alone: not evaluations as others that were timed."""
        kind = attrgetter("experiment", "flow", "model")
        timed = {kind(run) for run in state.evaluated}
        return sum(
            stage == "train" or (stage == "evaluate" and kind(self._jobs.runs[run]) not in timed)
            for stage, run in still
        )

    def _beside(self, trained: dict[Run, float]) -> float:
        """Seconds of a job beside those of its training; one that went on with a training tells nothing."""
        beside = [self._took[run.id] - seconds for run, seconds in trained.items() if run.id in self._took]
        return max(0.0, median(beside)) if beside else 0.0

    @cached_property
    def _models(self) -> Models:
        return models(self._jobs.params)

    @cached_property
    def _operations(self) -> dict[Run, float]:
        runs = costs(self._jobs.params, State(), ONE, self._models).whole
        return {run: 3600 * amount.train for run, amount in runs.items()}

    @staticmethod
    def _stages(run: str, still: frozenset[tuple[str, str]]) -> list[str]:
        return [stage for stage in RUNS if (stage, run) in still]
