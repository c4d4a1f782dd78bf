"""`fernn doctor`: what it finds on a machine, and what it advises."""

from pathlib import Path

import pytest
import torch
import yaml
from rich.console import Console

from fernn.experiments import load_params
from fernn.layout import Layout
from fernn.params import Params
from fernn.pipeline import doctor
from tests.programs import program

ROOT = Path(__file__).parents[2]


@pytest.fixture
def findings(params: Params, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """What the doctor finds where only some programs are there, by subject."""
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)

    def look(scale: str = "quick") -> dict[str, doctor.Finding]:
        found = doctor.examine(load_params(ROOT / "params.yaml", scale), Layout(scale))
        return {finding.about: finding for finding in found}

    return look


def test_a_machine_without_slurm_and_gpu(findings) -> None:
    quick, paper = findings(), findings("paper")
    assert quick["Slurm"].found == "none here"
    assert quick["GPUs"] == doctor.Finding("GPUs", "none")
    assert paper["GPUs"].advice.startswith("none needed here if Slurm runs the jobs; else --scale quick")
    assert paper["data"].advice.startswith("snakemake data --cores 1 --config scale=paper")
    assert quick["containers"].found == "none"


@pytest.mark.parametrize(("age", "advised"), [(30, True), (300, False)])
def test_a_cluster(findings, tmp_path: Path, age: int, advised: bool) -> None:
    least = 3 * yaml.safe_load(doctor.PROFILE.read_text())["slurm-init-seconds-before-status-checks"]
    assert (age < least) == advised
    program(tmp_path / "sbatch", "")
    config = f"AccountingStorageType = accounting_storage/none\nMinJobAge = {age} sec\nSLURM_VERSION = 23.11.4"
    program(tmp_path / "scontrol", f"echo '{config}'")
    program(tmp_path / "sinfo", "case $* in *%P*) echo 'long*';; *) echo '(null)';; esac")
    program(tmp_path / "nvidia-smi", "echo GPU-1")
    found = findings("paper")
    assert found["Slurm"].found == "23.11.4; partitions: long*"
    assert ("slurm-status-command: sacct" in found["MinJobAge"].advice) == advised
    assert found["sacct"].found == "no database behind it"
    assert "resources.slurm.gpus: none" in found["GRES"].advice
    assert found["GPUs"].found == "1: GPU-1"


def test_a_profile_without_the_lines_that_a_site_left_away(
    findings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "PROFILE", tmp_path / "config.yaml")
    doctor.PROFILE.write_text("executor: slurm\n")
    program(tmp_path / "sbatch", "")
    program(tmp_path / "scontrol", "echo 'MinJobAge = 30 sec'")
    assert "sacct would hang" in findings("paper")["sacct"].advice


def test_a_driver_that_is_too_old(findings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path / "nvidia-smi", "echo GPU-1")
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert "the driver is older than its CUDA: update the driver" in findings()["torch"].advice
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert not findings()["torch"].advice


def test_a_cluster_that_does_not_answer(findings, tmp_path: Path) -> None:
    program(tmp_path / "sbatch", "")
    program(tmp_path / "scontrol", "exit 1")
    assert "scontrol ping" in findings()["Slurm"].advice


def test_the_table(params: Params, layout: Layout, findings, capsys: pytest.CaptureFixture[str]) -> None:
    doctor.show(params, layout, Console(width=160))
    said = capsys.readouterr().out
    assert "This machine, for scale quick" in said
    assert "MinJobAge" not in said
