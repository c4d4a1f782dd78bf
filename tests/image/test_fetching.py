"""`fernn image fetch`: one file for all nodes, and a moved tag that is noticed. Apptainer itself is a stand-in here."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from fernn.errors import FernnError
from fernn.files import sha256
from fernn.params.schema import in_registry
from fernn.pipeline.image import fetch, fetched

from .registry import Registry, serve

DIGEST = "sha256:" + "0f" * 32
BAD = ["fernn", "docker://fernn", "docker://ghcr.io/Fernn", "a b.sif", "docker://g.io/f@sha256:12"]


@pytest.fixture
def registry() -> Iterator[Registry]:
    with serve() as here:
        here.tags["v1"] = "the first"
        yield here


@pytest.fixture(autouse=True)
def apptainer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program that writes down what it is asked for; in a folder in which `data` is made."""
    program = tmp_path / "bin/apptainer"
    program.parent.mkdir()
    program.write_text(
        '#!/bin/sh\necho "$@" >> calls\nif [ -e broken ]; then echo no room >&2; exit 1; fi\n'
        'for last; do file=$address; address=$last; done\necho "$address" > "$file"\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")
    monkeypatch.chdir(tmp_path)
    return program


def calls() -> list[str]:
    return Path("calls").read_text().splitlines() if Path("calls").exists() else []


@pytest.mark.parametrize("token", [None, "open sesame"])
def test_a_tag_is_brought_by_the_digest_that_it_stands_for(registry: Registry, token: str | None) -> None:
    registry.token = token
    image = registry.image("v1")
    came = fetch(image)
    assert came.digest == registry.digest("v1")
    assert Path(came.file).read_text() == f"docker://127.0.0.1:{registry.port}/lab/fernn@{came.digest}\n"
    assert fetched(image) == fetch(image) == came
    assert len(calls()) == 1  # the second time it was here
    assert not list(Path("data").rglob("*.partial"))


def test_a_registry_that_wants_a_name_and_a_password(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    registry.person = "YWRhOmxvdmVsYWNl"
    with pytest.raises(FernnError, match="APPTAINER_DOCKER_USERNAME"):
        fetch(registry.image("v1"))
    monkeypatch.setenv("APPTAINER_DOCKER_USERNAME", "ada")
    monkeypatch.setenv("APPTAINER_DOCKER_PASSWORD", "lovelace")
    assert fetch(registry.image("v1")).digest == registry.digest("v1")


def test_a_moved_tag_is_noticed(registry: Registry) -> None:
    image = registry.image("v1")
    before = fetch(image)
    registry.tags["v1"] = "the second"
    with pytest.raises(FernnError, match="is another image now") as caught:
        fetch(image)
    said = str(caught.value)
    assert before.digest in said and registry.digest("v1") in said
    assert fetched(image) == before  # jobs go on in the one that was fetched
    # the two ways out that the message names
    assert fetch(f"docker://127.0.0.1:{registry.port}/lab/fernn@{before.digest}").digest == before.digest
    (note,) = [Path(word) for word in said.split() if word.endswith(".json")]
    note.unlink()
    assert fetch(image).digest == registry.digest("v1") != before.digest


def test_a_digest_needs_no_question(registry: Registry) -> None:
    came = fetch(f"docker://127.0.0.1:{registry.port}/lab/fernn@{DIGEST}")
    assert came.digest == DIGEST
    assert registry.asked == []


def test_a_file_goes_by_its_content(tmp_path: Path) -> None:
    Path("mine.sif").write_text("one")
    came = fetch("mine.sif")
    assert (came.digest, came.file) == (f"sha256:{sha256('mine.sif')}", "mine.sif")
    assert fetched("mine.sif") == came
    Path("mine.sif").write_text("two, which is longer")
    with pytest.raises(FernnError, match=r"mine\.sif was written anew since it was fetched.*: fernn image fetch"):
        fetched("mine.sif")
    with pytest.raises(FernnError, match=r"mine\.sif is another image now[^$]*bring the file back"):
        fetch("mine.sif")
    Path("mine.sif").unlink()
    with pytest.raises(FernnError, match=r"mine\.sif: no such file"):
        fetch("mine.sif")
    with pytest.raises(FernnError, match=r"is not here.*fernn image fetch"):
        fetched("mine.sif")


def test_a_failed_pull_leaves_nothing(registry: Registry) -> None:
    Path("broken").touch()
    with pytest.raises(FernnError, match=r"could not bring docker://[^$]*no room"):
        fetch(registry.image("v1"))
    assert [path for path in Path("data").rglob("*") if path.is_file()] == []


def test_what_is_missing_is_named(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FernnError, match=r"cannot ask 127.0.0.1:\d+ what lab/fernn:v2 is: 404"):
        fetch(registry.image("v2"))
    with pytest.raises(FernnError, match=r"cannot ask 127.0.0.1:1 what lab/fernn:v1 is"):
        fetch("docker://127.0.0.1:1/lab/fernn:v1")
    monkeypatch.setenv("PATH", "")
    with pytest.raises(FernnError, match="neither apptainer nor singularity is found"):
        fetch(registry.image("v1"))


@pytest.mark.parametrize(
    ("image", "host", "name", "tag"),
    [
        ("docker://ghcr.io/lab/fernn:1.0", "ghcr.io", "lab/fernn", "1.0"),
        ("docker://ghcr.io/lab/fernn", "ghcr.io", "lab/fernn", "latest"),
        ("docker://localhost:5000/fernn", "localhost:5000", "fernn", "latest"),
        (f"docker://ghcr.io/fernn:1.0@{DIGEST}", "ghcr.io", "fernn", None),
    ],
)
def test_addresses(image: str, host: str, name: str, tag: str | None) -> None:
    found = in_registry(image)
    assert found is not None
    assert (found.host, found.name, found.tag) == (host, name, tag)


@pytest.mark.parametrize("image", BAD)
def test_what_is_no_address(image: str) -> None:
    with pytest.raises(ValueError, match="expected docker://HOST/NAME:TAG"):
        in_registry(image)
