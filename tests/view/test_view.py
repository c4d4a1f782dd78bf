"""What a person sees of a workflow, by Snakemake's events one by one; tests/workflow/test_waiting.py has real ones."""

import io
import logging
import os
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from rich.console import Console

from fernn.experiments import load_params
from fernn.layout import Layout
from fernn.pipeline.cost import costs, models, rates_of, read_runs
from fernn.pipeline.jobs import Jobs
from fernn.training.checkpoint import Checkpoint
from fernn.training.progress import TrainingProgress
from tests.pipeline.made import finish, under_way
from workflow.view import DryRun, Estimate, Watch, about, complaint, last_words

ROOT = Path(__file__).parents[2]
RUN = "translation/V2T/FERNN-V2T/lr0.005/seed0"


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def jobs(tmp_path: Path) -> Jobs:
    return Jobs(load_params(ROOT / "params.yaml", "quick"), Layout("quick", tmp_path))


class Workflow:
    """Snakemake's, as far as a view asks, with one rule that works and one that only names results."""

    rules = (SimpleNamespace(name="train", norun=False), SimpleNamespace(name="all", norun=True))
    dag = SimpleNamespace(needrun_jobs=list)
    resource_settings = SimpleNamespace(nodes=None, cores=2)
    global_resources: dict[str, Any] = {}  # noqa: RUF012
    logger_manager = SimpleNamespace(get_logfile=lambda: [str(Path.cwd() / ".snakemake/log/own.log")])


class Watched:
    """A view, and what it printed."""

    def __init__(self, jobs: int, width: int = 80) -> None:
        self.said, self.clock = io.StringIO(), Clock()
        self.console = Console(file=self.said, width=width, height=24)
        self.view = Watch(self.console, Workflow(), SimpleNamespace(jobs=None), self.clock)  # type: ignore[arg-type]
        tell(self.view, "workflow_started")
        tell(self.view, "run_info", stats={"train": jobs, "all": 1, "total": jobs + 1})

    def tell(self, event: str | None, text: str = "", level: int = logging.INFO, **more: Any) -> None:
        tell(self.view, event, text, level, **more)

    def start(self, number: int, log: Path, run: str = RUN) -> None:
        self.tell("job_info", jobid=number, log=[str(log)], **about_job("train", run))

    def fail(self, number: int, log: Path, text: str | None, status: int = 1) -> None:
        if text is not None:
            log.write_text(text)
            os.utime(log, (self.clock.now, self.clock.now))
        how = f"CalledProcessError in file x:\nCommand 'fernn' returned non-zero exit status {status}."
        self.tell("error", how, logging.ERROR, exception="RuleException")
        self.tell(
            "job_error", "", logging.ERROR, jobid=number, rule_name="train", rule_msg=None, log=[str(log)], aux={}
        )

    def picture(self) -> list[str]:
        with self.console.capture() as captured:
            self.console.print(self.view.frame())
        return captured.get().splitlines()


def tell(view: logging.Handler, event: str | None, text: str = "", level: int = logging.INFO, **more: Any) -> None:
    record = logging.LogRecord("snakemake", level, "", 0, text, (), None)
    vars(record).update({"event": event} if event else {}, **more)
    view.handle(record)


def about_job(rule: str, run: str) -> dict[str, Any]:
    message = f"{'Training' if rule == 'train' else 'Evaluating'} {run}"
    return {"rule_msg": message, "rule_name": rule, "wildcards": {"run": run}, "shellcmd": "fernn", "reason": "x: y"}


def trained(log: Path, name: str) -> None:
    """What a training of two epochs writes into its log."""
    with open(log, "w") as file, TrainingProgress(name, Console(file=file)) as progress:
        state = Checkpoint.start("", torch.device("cpu"))
        progress.start(2, 10, state)
        state.end_epoch({"epoch": 1, "step": 10, "train_loss": 0.25, "validation_loss": 0.125}, 0.125)
        progress.epoch(state)


@pytest.mark.parametrize("most", [30, 31])
def test_a_dry_run_lists_few_jobs_and_groups_many(jobs: Jobs, most: int) -> None:
    said = io.StringIO()
    plan = SimpleNamespace(jobs=jobs, why=lambda rule, wildcards: "missing" if rule == "train" else None)
    view = DryRun(Console(file=said, width=100), Workflow(), plan)  # type: ignore[arg-type]
    runs = [run for run in jobs.runs.values() if run.model in ("G-RNN", "FERNN-V2T") and run.experiment != "rotation"]
    listed = [(rule, run) for rule in ("train", "evaluate") for run in runs][:most]
    for rule, run in listed:
        tell(view, "job_info", **about_job(rule, run.id))
    tell(view, "run_info", stats={"train": len(listed), "all": 1, "total": len(listed) + 1})
    lines = [line.strip() for line in said.getvalue().splitlines()]
    assert lines[-1] == f"Would run {len(listed)} jobs: {len(listed)} train. This was a dry run."
    of = [run for rule, run in listed if rule == "train" and (run.experiment, run.model) == ("kth", "G-RNN")]
    if most == 30:
        assert all(any(re.fullmatch(f"Training {run.id} +missing", line) for line in lines) for run in of)
        assert any(re.fullmatch(r"Evaluating \S+ +x", line) for line in lines)
    else:
        assert any(re.fullmatch(rf"{len(of)} +train kth G-RNN +missing", line) for line in lines)
        assert any(re.fullmatch(r"\d+ +evaluate translation G-RNN +x", line) for line in lines)
        assert not any("seed" in line for line in lines)


def test_the_last_words_of_a_training_are_its_losses(tmp_path: Path) -> None:
    log = tmp_path / "log"
    trained(log, RUN)
    assert re.fullmatch(
        r"epoch 1/2  loss 0\.25  validation 0\.125  \d:\d\d:\d\d left  best", str(last_words(log, 0, RUN))
    )
    assert last_words(log, log.stat().st_mtime + 10, RUN) is None  # of another try
    assert last_words(tmp_path / "none", 0, RUN) is None


def test_a_complaint_is_the_message_and_not_what_stands_before_it(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("epoch 1\n" * 5000 + "fernn: it is broken\nfix it\n")
    assert complaint(log) == ["fernn: it is broken", "fix it"]
    log.write_text("\n".join(map(str, range(100))))
    assert complaint(log)[-1] == "99"
    assert len(complaint(log)) < 20
    log.write_text("")
    assert complaint(log) == ["its log is empty"]


def test_a_picture_fits_its_terminal(tmp_path: Path) -> None:
    for width in (60, 80, 120):
        watched = Watched(jobs=40, width=width)
        watched.clock.now = 0.0  # before the logs
        for number in range(30):
            watched.start(number, tmp_path / f"{number}.log")
            if number >= 15:
                trained(tmp_path / f"{number}.log", RUN)
        picture = watched.picture()
        assert len(picture) < 24
        assert max(map(len, picture)) <= width
        assert "0 of 40 jobs" in picture[0]
        assert picture[1].strip() == "train 0/40"
        assert sum("loss 0.25" in line for line in picture) > 5  # those that say something go before those that do not
        assert re.fullmatch(r"and \d+ more", picture[-1].strip())


def test_where_there_is_no_terminal_each_job_is_two_lines(tmp_path: Path) -> None:
    watched = Watched(jobs=1)
    watched.start(3, tmp_path / "log")
    watched.clock.now += 3725
    watched.tell("job_finished", job_id=3)
    watched.tell("job_finished", job_id=0)
    watched.view.close()
    assert watched.said.getvalue().splitlines() == [
        "1 job to do: 1 train; cores: 2",
        f"Job 3: Training {RUN}",
        "Job 3 done in 1:02:05 (1 of 1)",
        "1 job done in 1:02:05.",
    ]


def test_a_failure_is_told_once_with_its_log(tmp_path: Path) -> None:
    watched, log = Watched(jobs=2), tmp_path / "log"
    for attempt in range(3):
        watched.start(3, log)
        watched.fail(3, log, "something before\nfernn: no memory\n", status=137)
        assert ("Failed again, in the same way" in watched.said.getvalue()) == (attempt > 0)
    watched.tell(None, "Exiting because a job execution failed. Look above for error messages", logging.ERROR)
    watched.tell("error", "WorkflowError:\nAt least one job did not complete successfully.", logging.ERROR)
    watched.view.close()
    said = watched.said.getvalue()
    assert f"Failed: Training {RUN} (job 3, exit status 137)\n  fernn: no memory\n  log: {log}\n" in said
    assert said.count("fernn: no memory") == said.count(str(log)) == 1
    assert "0 of 2 jobs done, 1 failed" in said
    assert said.endswith("Snakemake's own log: .snakemake/log/own.log\n")
    assert not re.search("CalledProcess|WorkflowError|Exiting|something before", said)


def test_what_slurm_says_of_a_job_that_never_began_is_told_and_not_a_log_of_before(tmp_path: Path) -> None:
    watched, log, slurm = Watched(jobs=1), tmp_path / "log", tmp_path / "slurm.log"
    log.write_text("fernn: another fault, of last week")
    os.utime(log, (1, 1))
    for number in ("17", "18"):
        watched.start(3, log)
        told = {"rule_msg": f"SLURM status is: NODE_FAIL, of {number}.", "aux": {"external_jobid": number}}
        watched.tell("job_error", level=logging.ERROR, jobid=3, rule_name="train", log=[str(log), str(slurm)], **told)
    said = watched.said.getvalue()
    assert (
        f"Failed: Training {RUN} (job 3, Slurm's 17)\n  SLURM status is: NODE_FAIL, of 17.\n  it wrote no log\n" in said
    )
    assert f"Failed again, in the same way: Training {RUN} (job 3, Slurm's 18)\n" in said
    assert said.count(str(slurm)) == 1
    assert "last week" not in said


def test_a_job_that_fails_and_is_made_after_all_is_no_failure(tmp_path: Path) -> None:
    watched, log = Watched(jobs=1), tmp_path / "log"
    watched.start(3, log)
    watched.fail(3, log, "lost node")
    watched.start(3, log)
    watched.tell("job_finished", job_id=3)
    watched.view.close()
    assert f"Job 3 again: Training {RUN}\n" in watched.said.getvalue()
    assert "1 job done in" in watched.said.getvalue()


def test_who_stops_it_is_told_of_checkpoints_and_no_failure(tmp_path: Path) -> None:
    watched, log = Watched(jobs=2), tmp_path / "log"
    watched.start(3, log)
    watched.start(4, tmp_path / "other")
    for _ in range(3):  # it says so with each job that ends
        watched.tell(None, "Terminating processes on user request, this might take some time.")
    watched.fail(3, log, "epoch 1\nfernn: stopped by SIGINT; the same command goes on\n", status=130)
    watched.fail(4, tmp_path / "other", "Traceback\n", status=130)
    watched.tell("error", "WorkflowError:\nAt least one job did not complete successfully.", logging.ERROR)
    watched.view.close()
    said = watched.said.getvalue()
    assert f"Stopped: Training {RUN}\n  fernn: stopped by SIGINT; the same command goes on\nStopped: Training" in said
    assert said.endswith("Stopped after 0 of 2 jobs; the same command goes on from there.\n")
    assert said.count("Terminating processes") == 1
    assert not re.search("[Ff]ailed|Traceback|own log", said)


def test_of_what_snakemake_says_news_and_faults_are_told(tmp_path: Path) -> None:
    watched = Watched(jobs=1)
    for chatter in ("Select jobs to execute...", "Using shell: /bin/bash", "Elapsed time: 0:00:01"):
        watched.tell(None, chatter)
    watched.tell(None, "a node is slow", logging.WARNING)
    watched.start(1, tmp_path / "log")
    missing = "MissingOutputException:\nJob 1 completed successfully, but some output files are missing."
    watched.tell("error", missing, logging.ERROR)
    assert watched.view.running == {}
    watched.view.close()
    said = watched.said.getvalue()
    assert not re.search("Select|shell|Elapsed", said)
    assert "a node is slow" in said
    assert missing in said
    assert "0 of 1 job done, 1 failed" in said


def test_time_left_is_that_of_the_plan_shared_by_the_jobs_that_run_at_once(jobs: Jobs) -> None:
    clock, runs = Clock(), [run for run in jobs.runs.values() if run.experiment == "translation"]
    open_jobs = {(stage, run.id) for run in runs for stage in ("train", "evaluate")}
    estimate = Estimate(jobs, open_jobs, clock)
    finish(jobs.layout, runs[0], seconds=600.0)
    assert estimate.seconds(1) is None  # that run is to be trained again
    open_jobs.discard(("train", runs[0].id))
    assert estimate.seconds(1) is None  # not estimated again so soon
    under_way(jobs.layout, runs[-1], epoch=2)
    clock.now += 10
    state = read_runs(jobs)
    left = costs(jobs.params, state, rates_of(jobs.params, state), models(jobs.params)).left
    wanted = sum(left[run].total for run in runs)
    assert wanted > 600
    assert [estimate.seconds(at_once) for at_once in (1, 4)] == pytest.approx([wanted, wanted / 4])
    clock.now += 5
    assert estimate.seconds(1) == pytest.approx(wanted - 5)
    assert Estimate(jobs, set(), clock).seconds(1) == 0


def test_an_evaluation_waits_for_its_training(jobs: Jobs) -> None:
    estimate = Estimate(jobs, {("train", "a"), ("evaluate", "a"), ("evaluate", "b")}, Clock())
    estimate._work, estimate._when, estimate._next = 600.0, estimate.clock(), float("inf")
    assert [estimate.seconds(at_once) for at_once in (1, 2, 3)] == [600, 300, 300]
    estimate.open.remove(("train", "a"))
    assert estimate.seconds(3) == 300
    estimate.open.remove(("evaluate", "a"))
    assert estimate.seconds(3) == 600


def test_time_left_is_shown_where_a_run_has_finished(tmp_path: Path) -> None:
    watched = Watched(jobs=3)
    estimate = watched.view.estimate
    estimate.open, estimate._next = {("train", RUN), ("train", "other")}, float("inf")
    watched.start(1, tmp_path / "1")
    watched.start(2, tmp_path / "2", "other")
    assert "time left: known after the first run" in watched.picture()[0]
    estimate._work, estimate._when = 1200.0, watched.clock.now
    assert "about 10 min left" in watched.picture()[0]
    watched.tell("job_finished", job_id=2)
    assert "(1 of 3; about 20 min left)" in watched.said.getvalue()
    watched.tell("job_finished", job_id=1)
    assert watched.said.getvalue().endswith("(2 of 3)\n")


def test_a_time_is_as_exact_as_it_is_known() -> None:
    said = [about(seconds) for seconds in (3, 600, 5000, 100_000)]
    assert said == [
        "about 1 min left",
        "about 10 min left",
        "about 1 h 23 min left",
        "about 28 h left",
    ]
