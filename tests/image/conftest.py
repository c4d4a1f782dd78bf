"""The image, built once by the command that people use, and a small pipeline to run inside it and outside."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.harness import SMALL
from tests.workflow.conftest import SNAKEMAKE, Clone, Project, make_project

from .engine import BASE, IMAGE, Engine, why_not

ROOT = Path(__file__).parents[2]
SECRET = "# nobody may find this in the image"
SOURCE = "https://example.org/fernn"


def make_small(folder: Path) -> Clone:
    """A copy of the project whose small scale has a little of each experiment."""
    project: Project = make_project(folder)
    project.edit_params(lambda scale: scale.update(SMALL, experiments=["translation", "rotation", "kth"]))
    return Clone(project.folder)


@pytest.fixture(scope="session")
def engine() -> Engine:
    """Kept between runs of the tests, so that a second one builds what has changed; `make clean` removes it."""
    if reason := why_not():
        # on a machine that is set up for it, a missing tool is a failure
        (pytest.fail if "CI" in os.environ else pytest.skip)(reason)
    return Engine(ROOT / "build/image")


@pytest.fixture(scope="session")
def made_outside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Clone, subprocess.Popen[bytes]]]:
    """The small pipeline on this machine without the image, under way: it runs while the image is built."""
    project = make_small(tmp_path_factory.mktemp("outside"))
    process = project.start(*SNAKEMAKE, log=project.folder / "said.log")
    yield project, process
    process.terminate()  # it still runs only if the tests ended early
    process.wait()


@pytest.fixture(scope="session")
def built(
    engine: Engine, made_outside: tuple[Clone, subprocess.Popen[bytes]], tmp_path_factory: pytest.TempPathFactory
) -> Engine:
    """With the image in it: on Debian, with the build of torch that this machine's pip finds."""
    engine.make_base()
    certificates = tmp_path_factory.mktemp("secrets") / "certificates.pem"
    trusted = Path(os.environ.get("SSL_CERT_FILE", "/etc/ssl/certs/ca-certificates.crt"))
    certificates.write_text(f"{SECRET}\n{trusted.read_text()}")
    wanted = {"IMAGE_ENGINE": "buildah", "BASE_IMAGE": BASE, "LOCK": "torch", "IMAGE": IMAGE, "SOURCE": SOURCE}
    engine.must("make", "image", cwd=ROOT, SSL_CERT_FILE=str(certificates), **wanted)
    return engine


@pytest.fixture(scope="session")
def outside(made_outside: tuple[Clone, subprocess.Popen[bytes]]) -> Clone:
    """The small pipeline, finished on this machine without the image; only for tests that do not change it."""
    project, process = made_outside
    assert process.wait() == 0, (project.folder / "said.log").read_text()
    return project
