"""`fernn image fetch`: the container image of jobs, downloaded once, to where every job finds it.

The image is a file of Apptainer's in the checkout, named by its digest. A note beside it says which digest the name in
params.yaml had when it was fetched: all jobs run in that image, even if a tag has moved since.
"""

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from base64 import b64encode
from dataclasses import asdict, dataclass
from pathlib import Path

from fernn.errors import FernnError
from fernn.files import atomic, sha256, write_json
from fernn.params.schema import InRegistry, in_registry

FOLDER = Path("data/image")


@dataclass(frozen=True)
class FetchedImage:
    """An image that is here.

    Attributes:
        image: its name in params.yaml.
        digest: in its registry, or of the file for one that came as a file; such as sha256:0123...
        file: Apptainer's file.
        state: the size and time of a file that others may replace, when it was fetched; empty for a pulled one.
    """

    image: str
    digest: str
    file: str
    state: str = ""


def fetched(image: str, folder: Path = FOLDER) -> FetchedImage:
    """The image as it was fetched.

    Raises:
        FernnError: if it was not, or its file is gone or was written anew.
    """
    found = _read(_note(image, folder))
    if found is None or not Path(found.file).exists():
        raise FernnError(f"the image {image} is not here. Where there is a network (the login node): fernn image fetch")
    if found.state and found.state != _state(found.file):
        raise FernnError(
            f"{image} was written anew since it was fetched. This says whether it is another: fernn image fetch"
        )
    return found


def fetch(image: str, folder: Path = FOLDER) -> FetchedImage:
    """Download the image, unless it is here already.

    Raises:
        FernnError: if it cannot be downloaded, or its name means another image than when it was fetched before.
    """
    name = in_registry(image)
    if name is None and not Path(image).exists():
        raise FernnError(f"{image}: no such file; `image` of params.yaml names it")
    digest = name.digest or _digest_of(name) if name else f"sha256:{sha256(image)}"
    file = image if name is None else (folder / f"{digest.removeprefix('sha256:')[:16]}.sif").as_posix()
    wanted = FetchedImage(image, digest, file, "" if name else _state(file))
    note = _note(image, folder)
    before = _read(note)
    if before and before.digest != digest:
        stay = (
            f"To stay with it, write image: docker://{name.host}/{name.name}@{before.digest} in params.yaml."
            if name
            else "To stay with it, bring the file back."
        )
        raise FernnError(
            f"{image} is another image now:\n  fetched before: {before.digest}\n  now:            {digest}\n"
            f"Results made so far name the first one. {stay} To go over to the new one, remove {note} and fetch again: "
            "what is finished stays as it is, and what is made from then on names the new image."
        )
    if name and not Path(file).exists():
        _pull(name, digest, Path(file))
    write_json(note, asdict(wanted))
    return wanted


def program() -> str | None:
    """Apptainer under the name that it has here."""
    return next((name for name in ("apptainer", "singularity") if shutil.which(name)), None)


def _state(file: str) -> str:
    about = Path(file).stat()
    return f"{about.st_size} bytes, {about.st_mtime_ns} ns"


def _note(image: str, folder: Path) -> Path:
    return folder / f"{hashlib.sha256(image.encode()).hexdigest()[:16]}.json"


def _read(note: Path) -> FetchedImage | None:
    return FetchedImage(**json.loads(note.read_text(encoding="utf-8"))) if note.exists() else None


def _pull(image: InRegistry, digest: str, file: Path) -> None:
    """Let Apptainer download an image and convert it to its own format."""
    apptainer = program()
    if apptainer is None:
        raise FernnError(
            "neither apptainer nor singularity is found here. On many clusters: module load apptainer. Elsewhere the "
            "image runs by docker or podman (docs/image.md)."
        )
    address = f"docker://{image.host}/{image.name}@{digest}"
    with atomic(file) as temporary:
        options = ["--no-https"] if _is_local(image) else []
        command = [apptainer, "pull", *options, "--force", str(temporary), address]
        ended = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if ended.returncode:
            raise FernnError(f"{apptainer} could not bring {address}:\n{ended.stdout.strip()[-2000:]}")


def _is_local(image: InRegistry) -> bool:
    """Whether the registry is on this machine, and is queried without TLS, as Docker does."""
    return image.host.split(":")[0] in ("localhost", "127.0.0.1")


def _digest_of(image: InRegistry) -> str:
    """The digest of the image that a tag refers to now, by skopeo: Apptainer does not report it."""
    address = f"docker://{image.host}/{image.name}:{image.tag}"
    if shutil.which("skopeo") is None:
        raise FernnError(
            f"{address} is a tag, and skopeo, which finds its digest, is not found here. Install skopeo, or write the "
            f"digest in params.yaml: docker://{image.host}/{image.name}@sha256:...; the registry's page shows it, or "
            f"elsewhere: skopeo inspect --format '{{{{.Digest}}}}' {address}"
        )
    command = ["skopeo", "inspect", "--raw", *(["--tls-verify=false"] if _is_local(image) else [])]
    user, password = (os.environ.get(f"APPTAINER_DOCKER_{what}") for what in ("USERNAME", "PASSWORD"))
    with tempfile.NamedTemporaryFile("w", suffix=".json") as login:  # not an argument, which other users could see
        if user and password:
            auth = b64encode(f"{user}:{password}".encode()).decode()
            json.dump({"auths": {image.host: {"auth": auth}}}, login)
            login.flush()
            command += ["--authfile", login.name]
        ended = subprocess.run([*command, address], capture_output=True)
    if ended.returncode:
        raise FernnError(
            f"skopeo could not find the digest of {address}:\n{ended.stderr.decode(errors='replace').strip()[-2000:]}\n"
            "Run this where there is a network (the login node). For a registry that requires a login, set "
            "APPTAINER_DOCKER_USERNAME and APPTAINER_DOCKER_PASSWORD, or run skopeo login."
        )
    return f"sha256:{hashlib.sha256(ended.stdout).hexdigest()}"  # of the manifest's bytes, as registries define it
