"""Snakemake runs each job in the image, by Apptainer where it is, and elsewhere by a stand-in over podman."""

import json
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from fernn import __version__
from tests.programs import program
from tests.workflow.conftest import SNAKEMAKE, Clone

from .conftest import make_small
from .engine import IMAGE, Engine

pytestmark = pytest.mark.image

IN_CONTAINERS = [*SNAKEMAKE, "--sdm", "apptainer"]


@dataclass
class Contained:
    """The small pipeline after it ran in containers, one for each job."""

    project: Clone
    digest: str  # that `fernn image fetch` told
    variables: dict[str, str]  # that bring Apptainer
    said: str
    real: bool  # whether Apptainer is the real one


@pytest.fixture(scope="module")
def contained(built: Engine, tmp_path_factory: pytest.TempPathFactory) -> Contained:
    folder = tmp_path_factory.mktemp("contained")
    project = make_small(folder / "project")
    # a library that is not the image's copy, so that one can tell them apart; the results do not depend on it
    version = project.folder / "fernn/__init__.py"
    version.write_text(version.read_text().replace(__version__, f"{__version__}+checkout"))
    own = {name: value for name, value in built.environment.items() if name.startswith("CONTAINERS_")}
    real = shutil.which("apptainer") is not None
    if real:
        archive, image = folder / "image.tar", "fernn.sif"
        built.must("podman", "save", "--quiet", "--output", str(archive), IMAGE)
        project.must("apptainer", "build", image, f"docker-archive:{archive}")
    else:
        (folder / "bin").mkdir()
        shutil.copy(Path(__file__).with_name("apptainer"), folder / "bin")
        own |= {
            "PATH": os.pathsep.join([str(folder / "bin"), project.environment["PATH"]]),
            "FERNN_TEST_CALLS": str(folder / "calls"),
            "FERNN_TEST_IMAGE": IMAGE,
        }
        image, skopeo = "docker://registry.example.org/lab/fernn:v1", folder / "bin/skopeo"
        program(skopeo, f"echo {built.inspect()['Digest']}")  # in place of a manifest
    set_image(project, image)
    refused = project.run(*IN_CONTAINERS, **own)
    assert refused.returncode == 1
    assert "is not here. Where there is a network (the login node): fernn image fetch" in refused.stderr
    digest = project.must("fernn", "image", "fetch", **own).split()[-1]
    if not real:
        skopeo.unlink()  # jobs need no network
    said = project.must(*IN_CONTAINERS, **own)
    return Contained(project, digest, own, said, real)


def set_image(project: Clone, image: str | None) -> None:
    path = project.folder / "params.yaml"
    content = yaml.safe_load(path.read_text())
    path.write_text(yaml.safe_dump(content | {"image": image}, sort_keys=False))


def test_results_are_those_of_outside(contained: Contained, outside: Clone, capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():
        print(f"\nThe jobs ran in {'the real Apptainer' if contained.real else 'a stand-in over podman'}.")
    assert contained.project.results() == outside.results()


def test_every_job_ran_in_the_image(contained: Contained) -> None:
    ran = len(re.findall(r"^Job \d+: ", contained.said, re.MULTILINE))
    assert ran > 0
    if not contained.real:  # the records of the real one state it: see the next test
        calls = Path(contained.variables["FERNN_TEST_CALLS"]).read_text().splitlines()
        assert len([call for call in calls if call.startswith("exec --home")]) == ran


def test_records_name_the_image_and_the_library_of_the_checkout(contained: Contained) -> None:
    records = list((contained.project.folder / "results/micro").rglob("*record.json"))
    stages = {json.loads(record.read_text())["stage"] for record in records}
    assert stages == {"standins", "dataset", "train", "evaluate", "tables", "figures", "report"}
    for record in records:
        about = json.loads(record.read_text())["environment"]
        assert about["image"] == contained.digest
        assert about["packages"]["fernn"] == f"{__version__}+checkout"
        # Debian's Python in the image, whichever one runs these tests
        assert about["python"].startswith("3.11.")


@pytest.mark.parametrize("change", ["no --sdm", "no image", "another image"])
def test_an_image_or_none_makes_nothing_run_again(contained: Contained, tmp_path: Path, change: str) -> None:
    project = Clone(Path(shutil.copytree(contained.project.folder, tmp_path / "copy")))
    command: list[Any] = IN_CONTAINERS
    if change == "another image":
        (project.folder / "other.sif").write_text(IMAGE)
        set_image(project, "other.sif")
        project.must("fernn", "image", "fetch", **contained.variables)
    else:
        set_image(project, None if change == "no image" else "other.sif")
        command = command[:-2]
    assert "Nothing to be done" in project.must(*command, "--dry-run", **contained.variables)
