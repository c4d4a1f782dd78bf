"""What jobs ask a cluster for, and what is said where there is none."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from fernn.experiments import resolve
from tests.programs import program
from workflow import cluster
from workflow.cluster import after_predecessors, resources_of, site

from .conftest import ROOT, Project
from .test_dag import GRNN, V1

CONTENT = yaml.safe_load((ROOT / "params.yaml").read_text())
DRIVER = {"12": 525, "13": 580}  # the oldest that runs a CUDA of that number, by NVIDIA's table of minor versions
NEEDED = {"mem_mb": 32000, "runtime": 2880, "cpus_per_task": 4, "local_gpu": 1, "nodes": 1}


def asked(stage: str = "train", workers: int | None = None, **slurm: Any) -> dict[str, Any]:
    content = {**CONTENT, "resources": {**CONTENT["resources"], "slurm": {**CONTENT["resources"]["slurm"], **slurm}}}
    return resources_of(resolve(content).resources, stage, workers)


@pytest.fixture(autouse=True)
def _no_wishes(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ACCOUNT", "PARTITION", "QOS", "CONSTRAINT"):
        monkeypatch.delenv(f"SBATCH_{name}", raising=False)


@pytest.mark.parametrize(
    ("slurm", "expected"),
    [
        ({}, {"gpu": 1}),
        ({"gpu_model": "a100"}, {"gpu": 1, "gpu_model": "a100"}),
        ({"gpus": "gres"}, {"gres": "gpu:1"}),
        ({"gpus": "gres", "gpu_model": "a100"}, {"gres": "gpu:a100:1"}),
        ({"gpus": "none", "gpu_partition": "gpu"}, {"slurm_partition": "gpu"}),
        (
            {"account": "a", "qos": "q", "constraint": "c"},
            {"slurm_account": "a", "qos": "q", "constraint": "c", "gpu": 1},
        ),
    ],
)
def test_ways_to_ask_for_a_gpu(slurm: dict[str, Any], expected: dict[str, Any]) -> None:
    assert asked(**slurm) == NEEDED | expected


@pytest.mark.parametrize(("way", "expected"), [("gpus", {"gpu": 4}), ("gres", {"gres": "gpu:4"}), ("none", {})])
def test_a_training_that_several_gpus_share(way: str, expected: dict[str, Any]) -> None:
    """On one node, and with memory and cores for each of its workers."""
    wanted = {"mem_mb": 128000, "runtime": 2880, "cpus_per_task": 16, "local_gpu": 4, "nodes": 1}
    assert asked(workers=4, gpus=way) == wanted | expected


def test_a_job_without_a_gpu() -> None:
    expected = {"mem_mb": 4000, "runtime": 30, "cpus_per_task": 2, "local_gpu": 0, "slurm_partition": "long"}
    assert asked("dataset", partition="long", gpu_partition="gpu") == expected


def test_the_environment_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ACCOUNT", "PARTITION", "QOS"):
        monkeypatch.setenv(f"SBATCH_{name}", "mine")
    wanted = asked(account="a", partition="p", gpu_partition="g", qos="q")
    assert {wanted[name] for name in ("slurm_account", "slurm_partition", "qos")} == {"mine"}
    assert site(resolve(CONTENT).resources) == {"slurm_account": "mine", "slurm_partition": "mine", "qos": "mine"}


def test_what_the_page_says_of_a_cluster() -> None:
    """The options of its filled-in example, and the driver that torch's build of CUDA needs."""
    page = (ROOT / "docs/cluster.md").read_text()
    example = yaml.safe_load(page.split("```yaml\n")[1].split("```")[0])
    content = {**CONTENT, "resources": {**CONTENT["resources"], **example["resources"]}}
    found = resources_of(resolve(content).resources, "train")
    options = {"slurm_account": "account", "slurm_partition": "partition", "mem_mb": "mem", "runtime": "time"}
    said = dict(re.findall(r"--(\S+)=(\S+)", page.split("submitted with `")[1].split("`")[0]))
    expected = {options.get(name, name).replace("_", "-"): str(value) for name, value in found.items()}
    assert {"local-gpu": "1", **said} == expected
    cuda = re.findall(r"^cuda-toolkit==(\d+)", (ROOT / "requirements/cuda.txt").read_text(), re.MULTILINE)
    assert f"CUDA {cuda[0]} and cuDNN, and nodes need only an NVIDIA driver of version {DRIVER[cuda[0]]}" in " ".join(
        page.split()
    )


def test_snakemake_as_a_job(tmp_path: Path) -> None:
    program(tmp_path / ".venv/bin/snakemake", 'echo "$PWD: $*"')
    environment = {**os.environ, "SLURM_SUBMIT_DIR": str(tmp_path)}
    command = [str(ROOT / "slurm/head.sh"), "--config", "scale=quick"]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert ended.stdout == f"{tmp_path}: --cores all --profile slurm --config scale=quick\n", ended.stderr


def test_a_job_starts_after_those_that_are_at_the_same_work(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    lines = [
        f"12|{tmp_path}|rule_train_wildcards_kth_V2T_G-RNN_lr0.1_seed0",
        f"13|{tmp_path}|rule_train_wildcards_kth_V2T_G-RNN_lr0.1_seed0",
        "14|/elsewhere|rule_tables",
    ]
    program(tmp_path / "squeue", "\n".join(f"echo '{line}'" for line in lines))
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    cluster._jobs_here.cache_clear()
    assert after_predecessors("train", ["kth/V2T/G-RNN/lr0.1/seed0"]) == "--dependency=afterany:12:13"
    assert after_predecessors("train", ["kth/V2T/G-RNN/lr0.1/seed1"]) == ""
    assert after_predecessors("tables", []) == ""
    cluster._jobs_here.cache_clear()


@pytest.fixture
def bare(fresh: Project, tmp_path: Path) -> tuple[Project, Path]:
    """A project on a machine that has the programs that Snakemake needs, and a place to put more of them."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("bash", "sh", "env", "which", "git", "uname"):
        (folder / name).symlink_to(str(shutil.which(name)))
    return fresh, folder


def profiled(project: Project, folder: Path, *options: str) -> str:
    """What `snakemake --profile slurm` says, which must fail unless it is a dry run."""
    snakemake = str(shutil.which("snakemake", path=project.environment["PATH"]))
    command = [snakemake, "--cores", "all", "--profile", "slurm", "--config", "scale=micro", *options]
    ended = project.run(*command, PATH=str(folder))
    assert ended.returncode == (not options)
    assert not (project.folder / "results").exists()
    return ended.stdout + ended.stderr


def test_without_slurm(bare: tuple[Project, Path]) -> None:
    """A run is refused, and a dry run shows its jobs, even where the image was not fetched."""
    said = profiled(*bare)
    assert "no Slurm here: sbatch is not found" in said
    assert said.count("Nothing was begun.") == 1
    params = bare[0].folder / "params.yaml"
    params.write_text(params.read_text().replace("\nimage: null", "\nimage: docker://ghcr.io/lab/fernn:1"))
    assert "Would run" in profiled(*bare, "--dry-run")


def test_a_slurm_that_does_not_answer(bare: tuple[Project, Path]) -> None:
    for name in ("sbatch", "squeue", "sinfo", "scontrol"):
        program(bare[1] / name, "echo slurm_load_ctl_conf error: Unable to contact slurm controller >&2; exit 1")
    said = profiled(*bare)
    assert "Slurm does not answer" in said
    assert "Unable to contact slurm controller" in said


def test_trainings_that_several_gpus_share(fresh: Project) -> None:
    """Each has as many workers as it asks for, and no more than there are GPUs, or Snakemake would wait for ever."""

    def change(scale: dict[str, Any]) -> None:
        scale["resources"] = {"train": {"mem_mb": 1000, "runtime": 10, "cpus": 1, "gpu": 1}}
        scale["resources"]["train"]["gpu_of"] = {"translation": 2, "translation/FERNN-V1T": 4}

    fresh.edit_params(change)
    records = [f"results/micro/runs/{run}/seed0/record.json" for run in (GRNN, V1)]
    command = ["snakemake", "--cores", "8", "--config", "scale=micro", "--", *records]
    assert "cores: 8, GPUs: 3" in fresh.must(*command, CUDA_VISIBLE_DEVICES="0,1,2")
    found = [json.loads((fresh.folder / record).read_text())["details"]["workers"] for record in records]
    assert found == [2, 3]
