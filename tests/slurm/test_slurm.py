"""The workflow on a real Slurm, and what clusters do to it: the results are those of an undisturbed machine."""

import os
import shutil
import signal
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pytest

from tests.workflow.conftest import Clone, make_project

from .cluster import GPUS, Cluster
from .conftest import BATCHES, EPOCHS, RUNS, OnCluster, lengthen

pytestmark = pytest.mark.slurm

CANCELLED, REQUEUED, TIMED_OUT, UNDISTURBED = RUNS


@dataclass
class Whole:
    """The whole way through Slurm, three of its four runs disturbed, each by a mishap of its own."""

    project: OnCluster
    struck: dict[str, str]  # the job that was struck, by run


@pytest.fixture(scope="module")
def whole(slurm: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Whole:
    project = OnCluster(make_project(tmp_path_factory.mktemp("whole")).folder)
    project.edit_params(lengthen)
    struck = {}
    with project.under_way() as snakemake:
        # as there are fewer GPUs than runs, they come in any order
        left = {
            CANCELLED: lambda job: slurm.ask("scancel", job),
            REQUEUED: lambda job: slurm.ask("scontrol", "requeue", job),
            TIMED_OUT: lambda job: slurm.ask("scontrol", "update", f"JobId={job}", "EndTime=now+1"),
        }
        while left:
            project.until(lambda: any(project.epoch(run) for run in left), "run at work")
            run = next(run for run in left if project.epoch(run))
            struck[run] = project.started(slurm, run)
            left.pop(run)(struck[run])
            if run == REQUEUED:  # Slurm lets it wait for two minutes
                project.until(lambda job=struck[run]: job in slurm.jobs(project.folder, "PENDING"), "requeued job")
                slurm.ask("scontrol", "update", f"JobId={struck[run]}", "StartTime=now")
        project.ends_well(snakemake)
    return Whole(project, struck)


def state_of(slurm: Cluster, job: str) -> str:
    return slurm.ask("squeue", "--noheader", "--states=all", "--format=%T", f"--jobs={job}").strip()


def trained_once(project: OnCluster, run: str) -> bool:
    """No step was computed twice: each job resumed where the last one stopped."""
    return project.record(run)["details"]["steps"] == EPOCHS * BATCHES


def test_results_equal_those_of_the_local_run(whole: Whole, local: Clone) -> None:
    assert whole.project.results() == local.results()
    assert {name for name in local.results() if name.startswith("tables/")}
    assert whole.project.leftovers() == []
    assert "Nothing to be done" in whole.project.must("snakemake", "--cores", "all", "--config", "scale=micro", "-n")


def test_an_undisturbed_run(whole: Whole, slurm: Cluster) -> None:
    assert trained_once(whole.project, UNDISTURBED)
    assert len(whole.project.training(slurm, UNDISTURBED, "all")) == 1


@pytest.mark.parametrize(
    ("run", "states"),
    [
        (CANCELLED, ["CANCELLED", "COMPLETED"]),
        (REQUEUED, ["COMPLETED"]),
        (TIMED_OUT, ["COMPLETED", "TIMEOUT"]),
    ],
    ids=["scancel", "requeue", "time limit"],
)
def test_a_disturbed_run_goes_on(whole: Whole, slurm: Cluster, run: str, states: list[str]) -> None:
    jobs = whole.project.training(slurm, run, "all")
    assert sorted(state_of(slurm, job) for job in jobs) == states
    if run == REQUEUED:
        assert "Restarts=1" in slurm.ask("scontrol", "show", "job", *jobs)
    assert trained_once(whole.project, run)
    assert b"goes on after epoch" in whole.project.read(f"logs/train/{run}.log")


def test_gpu_jobs_never_share_a_gpu(whole: Whole, slurm: Cluster) -> None:
    holders: dict[str, str] = {}
    for what, gpu, job in slurm.gpu_uses():
        if what == "begin":
            assert gpu not in holders, f"{gpu}: {holders[gpu]} and {job}"
            holders[gpu] = job
        else:
            assert holders.pop(gpu) == job
    used = {gpu for _, gpu, _ in slurm.gpu_uses()}
    assert used == {f"{node}/{number}" for node, files in GPUS.items() for number in range(len(files))}


def test_what_a_job_asked_for(whole: Whole, slurm: Cluster) -> None:
    (job,) = whole.project.training(slurm, UNDISTURBED, "all")
    shown = slurm.ask("scontrol", "show", "job", job)
    for asked in ("TimeLimit=00:10:00", "MinMemoryNode=1000M", "CPUs/Task=1", "TresPerJob=gres:gpu:1", "Requeue=1"):
        assert asked in shown


def test_snakemake_is_killed_and_started_again(slurm: Cluster, local: Clone, with_a_run_to_do: OnCluster) -> None:
    project, run = with_a_run_to_do, RUNS[0]
    with project.under_way() as snakemake:
        first = project.started(slurm, run)
        os.killpg(snakemake.pid, signal.SIGKILL)
        snakemake.wait()
    with project.under_way() as snakemake:
        project.until(lambda: len(project.training(slurm, run, "all")) == 2, "second job")
        (second,) = set(project.training(slurm, run, "all")) - {first}
        # it waits in the queue, not on a GPU
        assert f"Dependency=afterany:{first}" in slurm.ask("scontrol", "show", "job", second)
        project.ends_well(snakemake)
    assert [state_of(slurm, job) for job in (first, second)] == ["COMPLETED"] * 2
    assert trained_once(project, run)
    assert project.results() == local.results()
    assert project.leftovers() == []


def test_a_node_is_lost(slurm: Cluster, local: Clone, with_a_run_to_do: OnCluster) -> None:
    """Slurm starts its job on the other node, while the lost node's own process is still at work."""
    project, run = with_a_run_to_do, RUNS[0]
    with project.under_way() as snakemake:
        job = project.started(slurm, run)
        node = slurm.jobs(project.folder)[job][1]
        slurm.daemons[node].kill()
        slurm.daemons[node].wait()
        try:
            # as Slurm says itself, once it has missed the node for long
            slurm.ask("scontrol", "update", f"NodeName={node}", "State=DOWN", "Reason=lost")
            project.until(lambda: "Restarts=1" in slurm.ask("scontrol", "show", "job", job), "job that was requeued")
            slurm.ask("scontrol", "update", f"JobId={job}", "StartTime=now")
            project.ends_well(snakemake)
        finally:
            slurm.start_node(node)
            with suppress(AssertionError):  # it may have come back by itself (ReturnToService=2)
                slurm.ask("scontrol", "update", f"NodeName={node}", "State=RESUME")
            slurm.wait_for_nodes()
    assert trained_once(project, run)
    assert project.results() == local.results()
    assert project.leftovers() == []


def test_a_run_over_two_gpus(slurm: Cluster, with_a_run_to_do: OnCluster) -> None:
    """It has both of one node, beside runs of one GPU, and shares them with none."""
    project, run, others = with_a_run_to_do, RUNS[0], RUNS[2:]

    def over_two(scale: dict[str, Any]) -> None:
        resources = scale["resources"]
        scale["resources"] = {**resources, "train": {**resources["train"], "gpu_of": {"translation/G-RNN": 2}}}

    project.edit_params(over_two)
    for other in others:
        shutil.rmtree(project.folder / f"results/micro/runs/{other}")
    before = len(slurm.gpu_uses())
    with project.under_way() as snakemake:
        project.ends_well(snakemake)
    (job,) = project.training(slurm, run, "all")
    asked = slurm.ask("scontrol", "show", "job", job)
    for words in ("TresPerJob=gres:gpu:2", "NumNodes=1", "CPUs/Task=2", "MinMemoryNode=2000M"):
        assert words in asked
    uses = slurm.gpu_uses()[before:]
    assert sorted(gpu for what, gpu, of in uses if of == job and what == "begin") == ["n1/0", "n1/1"]
    at = [number for number, (_, _, of) in enumerate(uses) if of == job]
    meanwhile = {gpu for _, gpu, of in uses[at[0] : at[-1]] if of != job}
    assert meanwhile <= {"n2/0"}
    assert project.record(run)["details"]["workers"] == 2
    assert all(project.record(other)["details"]["workers"] == 1 for other in others)
