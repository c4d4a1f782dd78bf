"""A Snakemake that is asked to stop hands its trainings on; one that cannot begin says so before it begins."""

import signal
import time
from typing import Any

from .conftest import Project

ONE_CORE = ("snakemake", "--cores", "1", "--config", "scale=micro")


def longer(scale: dict[str, Any]) -> None:
    scale["translation"]["training"]["epochs"] = 80


def test_it_is_asked_to_stop(project: Project) -> None:
    """Without its trainings it would wait until they are done."""
    project.edit_params(longer)
    said = project.folder / "said"
    process = project.start(*ONE_CORE, log=said)
    patience = time.monotonic() + 300
    while not list(project.folder.glob("results/micro/unfinished/**/checkpoint.safetensors")):
        assert process.poll() is None, said.read_text()
        assert time.monotonic() < patience
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) != 0
    assert "Traceback" not in said.read_text()
    (checkpoint,) = project.folder.glob("results/micro/unfinished/**/checkpoint.safetensors")
    run = "/".join(checkpoint.parent.relative_to(project.folder / "results/micro/unfinished").parts)
    assert not (project.folder / f"results/micro/runs/{run}/model.safetensors").exists()
    project.makes("--", f"results/micro/runs/{run}/model.safetensors")
    assert f"{run}: goes on after epoch" in (project.folder / f"results/micro/logs/train/{run}.log").read_text()


def without_cpu(scale: dict[str, Any]) -> None:
    scale["allow_cpu"] = False
    scale["resources"] = {"train": {"gpu": 1}, "evaluate": {"gpu": 1}}
    scale["translation"]["data"]["test"] = 5  # a data set is to be made first


def test_without_a_gpu_it_says_so_once(project: Project) -> None:
    project.edit_params(longer)
    project.edit_params(without_cpu)
    test = project.folder / "results/micro/datasets/translation/test-V2T.safetensors"
    before = test.read_bytes()
    ended = project.run(*ONE_CORE, CUDA_VISIBLE_DEVICES="")
    told = ended.stdout + ended.stderr
    assert ended.returncode != 0
    assert told.count("computes on a GPU, and there is none here: 3 trainings and 3 evaluations are to be done") == 1
    assert "Traceback" not in told
    assert test.read_bytes() == before
    project.must(*ONE_CORE, "--until", "dataset", CUDA_VISIBLE_DEVICES="")
    assert test.read_bytes() != before
