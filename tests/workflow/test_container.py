"""What Snakemake says and tells Apptainer about images; jobs that run in one are tested in tests/image."""

import json
import os
from pathlib import Path

import pytest
import yaml

from fernn import __version__
from fernn.pipeline.image import FetchedImage
from tests.programs import program as make_program
from workflow.container import tell_apptainer

from .conftest import ROOT, Project

DIGEST = f"sha256:{'0f' * 32}"


def test_containers_without_an_image(fresh: Project) -> None:
    ended = fresh.snakemake("--sdm", "apptainer")
    assert ended.returncode == 1
    assert "--sdm apptainer wants an image, and params.yaml names none" in ended.stdout + ended.stderr
    assert not (fresh.folder / "results").exists()


def test_an_image_that_was_not_fetched(project: Project) -> None:
    path = project.folder / "params.yaml"
    path.write_text(
        yaml.safe_dump(yaml.safe_load(path.read_text()) | {"image": f"docker://ghcr.io/lab/fernn@{DIGEST}"})
    )
    ended = project.snakemake("--sdm", "apptainer")
    assert ended.returncode == 1
    assert "is not here. Where there is a network (the login node): fernn image fetch" in ended.stdout + ended.stderr
    # an image that is not used needs no fetching, and what ran without it stays as it is
    assert "Nothing to be done" in project.snakemake("--dry-run").stdout


def test_jobs_run_the_library_of_the_checkout(fresh: Project) -> None:
    version = fresh.folder / "fernn/__init__.py"
    version.write_text(version.read_text().replace(__version__, f"{__version__}+checkout"))
    target = "results/micro/datasets/translation/digits.record.json"
    # as where another copy of the library is installed, such as in the image
    fresh.must("snakemake", "--cores", "1", "--config", "scale=micro", "--", target, PYTHONPATH=str(ROOT))
    assert (
        json.loads((fresh.folder / target).read_text())["environment"]["packages"]["fernn"] == f"{__version__}+checkout"
    )


@pytest.mark.parametrize("program", ["apptainer", "singularity"])
@pytest.mark.parametrize("gpus", ["0", ""])
def test_what_apptainer_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str, gpus: str) -> None:
    here, room = tmp_path / "here", tmp_path / "room"
    for folder in (here, room):
        folder.mkdir(parents=True)
    (here / "results").symlink_to(room)
    (here / "data").mkdir()
    make_program(here / "bin" / program)
    monkeypatch.chdir(here)
    for name in list(os.environ):
        if name.startswith(("APPTAINER", "SINGULARITY")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("PATH", str(here / "bin"))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", gpus)
    prefix = program.upper()
    monkeypatch.setenv(f"{prefix}_BIND", "/scratch")
    for name in (f"{prefix}ENV_PYTHONPATH", f"{prefix}ENV_FERNN_IMAGE", f"{prefix}_NV"):
        monkeypatch.setenv(name, "before")  # so that what is set here goes when the test ends
        monkeypatch.delenv(name)
    for _ in range(2):  # jobs inherit what is set, and set it again
        tell_apptainer(FetchedImage("x.sif", DIGEST, "x.sif"), here)
    told = {name: value for name, value in os.environ.items() if name.startswith(prefix)}
    expected = {f"{prefix}ENV_PYTHONPATH": str(here), f"{prefix}ENV_FERNN_IMAGE": DIGEST}
    expected |= {f"{prefix}_BIND": f"/scratch,{room}"} | ({f"{prefix}_NV": "1"} if gpus else {})
    assert told == expected
