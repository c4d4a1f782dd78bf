"""`fernn image fetch`: one file for all nodes; a moved tag is noticed. Apptainer and skopeo are stand-ins here."""

import hashlib
import json
from base64 import b64encode
from pathlib import Path

import pytest

from fernn.errors import FernnError
from fernn.files import sha256
from fernn.params.base import in_registry
from fernn.pipeline.image import fetch, fetched
from tests.programs import program

DIGEST = "sha256:" + "0f" * 32
BAD = ["fernn", "docker://fernn", "docker://ghcr.io/Fernn", "a b.sif", "docker://g.io/f@sha256:12"]
NAME = "docker://127.0.0.1:5000/lab/fernn"
APPTAINER = """
echo "$@" >> calls
if [ -e broken ]; then echo no room >&2; exit 1; fi
for last; do file=$address; address=$last; done
echo "$address" > "$file"
"""
# prints the manifest of a tag, which is the content of a file, and keeps the login that it is given
SKOPEO = """
echo "$@" >> asked
while [ $# -gt 1 ]; do
  if [ "$1" = --authfile ]; then cat "$2" > login; fi
  shift
done
cat "tags/${1##*:}"
"""


@pytest.fixture(autouse=True)
def _programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a folder in which `data` is made; the registry has a tag v1."""
    for name, text in (("apptainer", APPTAINER), ("skopeo", SKOPEO)):
        program(tmp_path / "bin" / name, text)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=":")
    monkeypatch.chdir(tmp_path)
    Path("tags").mkdir()
    push("v1", "the first")


def push(tag: str, manifest: str) -> str:
    """Let a tag refer to an image; returns its digest."""
    Path("tags", tag).write_text(manifest)
    return f"sha256:{hashlib.sha256(manifest.encode()).hexdigest()}"


def lines(file: str) -> list[str]:
    return Path(file).read_text().splitlines() if Path(file).exists() else []


def test_a_tag_is_pulled_by_its_digest(monkeypatch: pytest.MonkeyPatch) -> None:
    digest = push("v1", "another")
    came = fetch(f"{NAME}:v1")
    assert came.digest == digest
    assert Path(came.file).read_text() == f"{NAME}@{digest}\n"
    assert fetched(f"{NAME}:v1") == fetch(f"{NAME}:v1") == came
    assert len(lines("calls")) == 1  # the second time it was here
    assert not list(Path("data").rglob("*.partial"))
    assert lines("asked")[0] == f"inspect --raw --tls-verify=false {NAME}:v1"
    assert not Path("login").exists()
    monkeypatch.setenv("APPTAINER_DOCKER_USERNAME", "ada")
    monkeypatch.setenv("APPTAINER_DOCKER_PASSWORD", "lovelace")
    fetch(f"{NAME}:v1")
    auth = b64encode(b"ada:lovelace").decode()
    assert json.loads(Path("login").read_text()) == {"auths": {"127.0.0.1:5000": {"auth": auth}}}


def test_a_moved_tag_is_noticed() -> None:
    before = fetch(f"{NAME}:v1")
    digest = push("v1", "the second")
    with pytest.raises(FernnError, match="is another image now") as caught:
        fetch(f"{NAME}:v1")
    said = str(caught.value)
    assert before.digest in said and digest in said
    assert fetched(f"{NAME}:v1") == before  # jobs go on in the one that was fetched
    # the two ways out that the message names
    assert fetch(f"{NAME}@{before.digest}").digest == before.digest
    (note,) = [Path(word) for word in said.split() if word.endswith(".json")]
    note.unlink()
    assert fetch(f"{NAME}:v1").digest == digest != before.digest


def test_a_file_goes_by_its_content() -> None:
    Path("mine.sif").write_text("one")
    came = fetch("mine.sif")
    assert (came.digest, came.file) == (f"sha256:{sha256('mine.sif')}", "mine.sif")
    assert fetched("mine.sif") == came
    Path("mine.sif").write_text("two, which is longer")
    with pytest.raises(FernnError, match=r"mine\.sif was replaced since it was fetched.*: fernn image fetch"):
        fetched("mine.sif")
    with pytest.raises(FernnError, match=r"mine\.sif is another image now[^$]*bring the file back"):
        fetch("mine.sif")
    Path("mine.sif").unlink()
    with pytest.raises(FernnError, match=r"mine\.sif: no such file"):
        fetch("mine.sif")
    with pytest.raises(FernnError, match=r"is not here.*fernn image fetch"):
        fetched("mine.sif")


def test_a_failed_pull_leaves_nothing() -> None:
    Path("broken").touch()
    with pytest.raises(FernnError, match=r"could not download docker://[^$]*no room"):
        fetch(f"{NAME}:v1")
    assert [path for path in Path("data").rglob("*") if path.is_file()] == []


def test_a_registry_that_does_not_have_it() -> None:
    with pytest.raises(FernnError, match=r"(?s)fernn:v2:\n.*No such file.*network.*APPTAINER_DOCKER_USERNAME"):
        fetch(f"{NAME}:v2")


def test_without_the_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(FernnError, match=r"is a tag, and skopeo.* write the digest in params\.yaml: .*@sha256:"):
        fetch(f"{NAME}:v1")
    with pytest.raises(FernnError, match="neither apptainer nor singularity is found"):  # a digest needs no skopeo
        fetch(f"{NAME}@{DIGEST}")


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
