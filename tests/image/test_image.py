"""What the image holds, and what it does not; what runs in it gives the same bytes as outside."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.test_locks import locked
from tests.workflow.conftest import SNAKEMAKE, Clone

from .conftest import ROOT, SECRET, SOURCE, make_small
from .engine import IMAGE, STRANGER, Engine

pytestmark = pytest.mark.image


def test_labels(built: Engine) -> None:
    labels = built.inspect()["Labels"]
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True).stdout.strip()
    assert labels["org.opencontainers.image.revision"].removesuffix("-changed") == head
    assert labels["org.opencontainers.image.source"] == SOURCE
    assert labels["fernn.lock"] == "torch"
    digest = subprocess.run(
        "cat requirements/image.txt requirements/torch.txt | sha256sum", cwd=ROOT, shell=True, capture_output=True
    ).stdout.decode()
    assert labels["fernn.lock.digest"] == f"sha256:{digest.split()[0]}"
    inside = json.loads(built.run("cat", "/image.json"))
    assert inside["revision"] == labels["org.opencontainers.image.revision"]
    assert inside["lock_digest"] == labels["fernn.lock.digest"]


def test_packages_are_those_of_the_lock(built: Engine) -> None:
    """Nothing more: no tool of development, no pip."""
    script = "import json, importlib.metadata as m; print(json.dumps({d.name: d.version for d in m.distributions()}))"
    found = json.loads(built.run("/venv/bin/python", "-I", "-c", script))
    version = built.run("/venv/bin/python", "-c", "import platform; print(platform.python_version())").strip()
    where = {"python_version": ".".join(version.split(".")[:2]), "python_full_version": version}
    wanted = {line.name: str(line.specifier) for line in locked("image") if holds(line, where)}
    own = re.fullmatch(r"2\.13\.0(\+\w+)?", found.pop("torch"))
    assert own, "torch is of another version"
    normal = {re.sub(r"[-_.]+", "-", name).lower(): f"=={number}" for name, number in found.items()}
    assert normal == wanted


def holds(requirement: Requirement, where: dict[str, str]) -> bool:
    return requirement.marker is None or requirement.marker.evaluate(where)


def test_no_tool_of_building(built: Engine) -> None:
    tools = "gcc g++ cc c++ clang gfortran rustc cargo go ld as make cmake pip pip3 uv git curl wget"
    assert built.run("sh", "-c", f"for tool in {tools}; do command -v $tool; done; true") == ""


def test_nothing_of_the_builder_is_left(built: Engine, tmp_path: Path) -> None:
    archive = tmp_path / "image.tar"
    built.must("podman", "save", "--quiet", "--output", str(archive), IMAGE)  # every layer, whole
    for secret in (SECRET, "/run/wheels", "PIP_FIND_LINKS=", str(ROOT)):
        # the commands of the build's other stages do not stand in the image either
        counted = subprocess.run(["grep", "--count", "--binary-files=text", "--fixed-strings", secret, archive])
        assert counted.returncode == 1, f"the image holds {secret!r}"
    archive.unlink()


def test_size_without_torch(built: Engine) -> None:
    torch = "/venv/lib/python3*/site-packages/torch*"
    megabytes = int(built.run("sh", "-c", f"du -scb {torch} | tail -1").split()[0]) / 1e6
    assert built.inspect()["Size"] / 1e6 - megabytes < 700


def test_health(built: Engine) -> None:
    assert "2.13.0" in built.run(*built.inspect()["Labels"]["fernn.health"].split())


def test_any_user_on_a_read_only_root(built: Engine) -> None:
    asked = "id -u; find / -xdev -writable -type f 2> /dev/null | head"
    identity, *writable = built.run("sh", "-c", asked).splitlines()
    assert int(identity) == STRANGER
    assert writable == []
    assert str(STRANGER) not in built.inspect()["Config"]["User"]
    assert built.inspect()["Config"]["User"] not in ("", "0", "root", "0:0")


def test_the_copy_of_the_library_runs_without_a_checkout(built: Engine) -> None:
    assert built.run("python", "-c", "import fernn; print(fernn.__file__)").strip() == "/project/fernn/__init__.py"
    named = built.run("sh", "-c", "echo $FERNN_IMAGE").strip()
    assert named.startswith("revision ") and "lock sha256:" in named


def test_the_pipeline_runs_inside_with_the_same_results(built: Engine, outside: Clone, tmp_path: Path) -> None:
    """All of it in one container, Snakemake as well: as a stranger, with no network, on a read-only root."""
    project = make_small(tmp_path)
    for path in [tmp_path, *tmp_path.rglob("*")]:
        shutil.chown(path, STRANGER, STRANGER)
    digest = built.inspect()["Digest"]
    built.run(*SNAKEMAKE, mounts={tmp_path: "/project"}, options=(f"--env=FERNN_IMAGE={digest}",))
    results = outside.results()
    assert project.results() == results
    kinds = {name.split("/")[0] for name in results}
    assert kinds == {"datasets", "runs", "evaluations", "tables", "figures", "metrics"}
    trained = {name.split("/")[1] for name in results if name.startswith("runs/")}
    assert trained == {"translation", "rotation", "kth"}


@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13", "3.14"])
def test_the_lock_for_cuda_is_complete(python: str, tmp_path: Path) -> None:
    """The package index gives all that torch with CUDA asks for, by the hashes of the lock; nothing is downloaded."""
    where = ["--python-platform", "x86_64-manylinux_2_28", "--python-version", python, "--target", str(tmp_path)]
    command = ["uv", "pip", "install", "--dry-run", "--only-binary", ":all:", "--require-hashes", *where]
    patient = {**os.environ, "UV_HTTP_TIMEOUT": "180"}
    ended = subprocess.run(
        [*command, "-r", ROOT / "requirements/cuda.txt"], capture_output=True, text=True, env=patient
    )
    assert ended.returncode == 0, ended.stderr
    planned = set(re.findall(r"^ \+ ([a-z0-9-]+)==", ended.stderr, re.MULTILINE))
    assert planned == {line.name for line in locked("cuda")}
