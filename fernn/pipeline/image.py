"""The container image in which jobs run where Snakemake is told to use one: brought once, to where every job finds it.

The image lies in a file of Apptainer's in the checkout, named by its digest. Beside it a note says which digest the
name in params.yaml stood for when it was fetched: all jobs run in that one, whatever a tag stands for by then. What it
stands for now its registry says, by the protocol of the OCI distribution specification.
"""

import hashlib
import json
import os
import shutil
import subprocess
from base64 import b64encode
from dataclasses import asdict, dataclass
from pathlib import Path

import requests
from requests.utils import parse_dict_header

from fernn.errors import FernnError
from fernn.files import atomic, sha256, write_json
from fernn.params.schema import InRegistry, in_registry

FOLDER = Path("data/image")
TIMEOUT = (10.0, 30.0)  # seconds until it answers, and between two pieces of its answer
# lists of images for several machines, and single images
MANIFESTS = (
    "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, "
    "application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.docker.distribution.manifest.v2+json"
)


@dataclass(frozen=True)
class Fetched:
    """An image that is here.

    Attributes:
        image: its name in params.yaml.
        digest: in its registry, or of the file for one that came as a file; such as sha256:0123...
        file: Apptainer's file.
        state: the size and time that the file had then, of one that came as a file: others may replace that.
    """

    image: str
    digest: str
    file: str
    state: str = ""


def fetched(image: str, folder: Path = FOLDER) -> Fetched:
    """The image as it was fetched.

    Raises:
        FernnError: if it was not, or its file is gone or was written anew.
    """
    found = _before(_note(image, folder))
    if found is None or not Path(found.file).exists():
        raise FernnError(f"the image {image} is not here. Where there is a network (the login node): fernn image fetch")
    if found.state and found.state != _state(found.file):
        raise FernnError(
            f"{image} was written anew since it was fetched. This says whether it is another: fernn image fetch"
        )
    return found


def fetch(image: str, folder: Path = FOLDER) -> Fetched:
    """Bring the image, unless it is here already.

    Raises:
        FernnError: if it cannot be had, or its name stands for another image than when it was fetched before.
    """
    name = in_registry(image)
    if name is None and not Path(image).exists():
        raise FernnError(f"{image}: no such file; `image` of params.yaml names it")
    digest = name.digest or _digest_of(name) if name else f"sha256:{sha256(image)}"
    note = _note(image, folder)
    file = image if name is None else (folder / f"{digest.removeprefix('sha256:')[:16]}.sif").as_posix()
    wanted = Fetched(image, digest, file, "" if name else _state(file))
    before = _before(note)
    if before and before.digest != digest:
        raise FernnError(_moved(before, digest, note))
    if name and not Path(file).exists():
        plain = ["--no-https"] if _is_local(name) else []
        _pull(f"docker://{name.host}/{name.name}@{digest}", Path(file), plain)
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


def _before(note: Path) -> Fetched | None:
    return Fetched(**json.loads(note.read_text(encoding="utf-8"))) if note.exists() else None


def _moved(before: Fetched, digest: str, note: Path) -> str:
    name = in_registry(before.image)
    stay = (
        f"To stay with it, write image: docker://{name.host}/{name.name}@{before.digest} in params.yaml."
        if name
        else "To stay with it, bring the file back."
    )
    return (
        f"{before.image} is another image now:\n  fetched before: {before.digest}\n  now:            {digest}\n"
        f"Results made so far name the first one. {stay} To go over to the new one, remove {note} and fetch again: "
        "what is finished stays as it is, and what is made from then on names the new image."
    )


def _pull(address: str, file: Path, options: list[str]) -> None:
    """Let Apptainer bring an image and turn it into its own format."""
    apptainer = program()
    if apptainer is None:
        raise FernnError(
            "neither apptainer nor singularity is found here. On many clusters: module load apptainer. Elsewhere the "
            "image runs by docker or podman (docs/image.md)."
        )
    with atomic(file) as temporary:
        command = [apptainer, "pull", *options, "--force", str(temporary), address]
        ended = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if ended.returncode:
            raise FernnError(f"{apptainer} could not bring {address}:\n{ended.stdout.strip()[-2000:]}")


def _is_local(image: InRegistry) -> bool:
    """Whether the registry is on this machine: such a one is asked without encryption, as Docker does."""
    return image.host.split(":")[0] in ("localhost", "127.0.0.1")


def _digest_of(image: InRegistry) -> str:
    """The digest that the image's tag stands for now.

    A registry that wants to know who asks is told APPTAINER_DOCKER_USERNAME and APPTAINER_DOCKER_PASSWORD, as Apptainer
    tells it.

    Raises:
        FernnError: if the registry does not answer, or does not give the image.
    """
    # the one registry whose interface has another name than its images
    host = "registry-1.docker.io" if image.host == "docker.io" else image.host
    url = f"{'http' if _is_local(image) else 'https'}://{host}/v2/{image.name}/manifests/{image.tag}"
    headers = {"Accept": MANIFESTS}
    try:
        answer = requests.get(url, headers=headers, timeout=TIMEOUT)
        if answer.status_code == 401:
            headers |= {"Authorization": _authorization(answer.headers.get("WWW-Authenticate", ""))}
            answer = requests.get(url, headers=headers, timeout=TIMEOUT)
        answer.raise_for_status()
    except requests.RequestException as error:
        raise FernnError(
            f"cannot ask {host} what {image.name}:{image.tag} is: {error}\nRun this where there is a network (the "
            "login node); a registry that wants a name and a password reads them from APPTAINER_DOCKER_USERNAME and "
            "APPTAINER_DOCKER_PASSWORD."
        ) from None
    return f"sha256:{hashlib.sha256(answer.content).hexdigest()}"


def _authorization(challenge: str) -> str:
    """What a registry wants to hear after its refusal: a token, of anybody or of this user."""
    user, password = (os.environ.get(f"APPTAINER_DOCKER_{what}") for what in ("USERNAME", "PASSWORD"))
    person = (user, password) if user and password else None
    scheme, _, rest = challenge.partition(" ")
    if scheme.lower() == "basic" and person:
        return f"Basic {b64encode(':'.join(person).encode()).decode()}"
    asked = parse_dict_header(rest)
    if scheme.lower() != "bearer" or "realm" not in asked:
        raise requests.RequestException("it wants a name and a password")
    wanted = {name: asked[name] for name in ("service", "scope") if name in asked}
    answer = requests.get(asked["realm"], params=wanted, auth=person, timeout=TIMEOUT)
    answer.raise_for_status()
    said = answer.json()
    return f"Bearer {said.get('token') or said.get('access_token', '')}"
