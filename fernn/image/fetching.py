"""Bring the image once, to where every job finds it without a network; notice when its name means another one.

The image lies in a file of Apptainer's in the checkout, named by its digest. Beside it a note says which digest the
name in params.yaml stood for when it was fetched: all jobs run in that one, whatever a tag stands for by then.
"""

import hashlib
import json
import shutil
import subprocess
from dataclasses import asdict, dataclass
from pathlib import Path

from fernn.errors import FernnError
from fernn.files import atomic, sha256, write_json
from fernn.image.registry import digest_of, is_local
from fernn.params.image import in_registry

FOLDER = Path("data/image")


@dataclass(frozen=True)
class Fetched:
    """An image that is here.

    Attributes:
        image: its name in params.yaml.
        digest: in its registry, or of the file for one that came as a file; such as sha256:0123...
        file: Apptainer's file.
    """

    image: str
    digest: str
    file: str


def fetched(image: str, folder: Path = FOLDER) -> Fetched:
    """The image as it was fetched.

    Raises:
        FernnError: if it was not, or its file is gone.
    """
    note = _note(image, folder)
    found = Fetched(**json.loads(note.read_text(encoding="utf-8"))) if note.exists() else None
    if found is None or not Path(found.file).exists():
        raise FernnError(f"the image {image} is not here. Where there is a network (the login node): fernn image fetch")
    return found


def fetch(image: str, folder: Path = FOLDER) -> Fetched:
    """Bring the image, unless it is here already.

    Raises:
        FernnError: if it cannot be had, or its name stands for another image than when it was fetched before.
    """
    name = in_registry(image)
    if name is None and not Path(image).exists():
        raise FernnError(f"{image}: no such file; `image` of params.yaml names it")
    digest = name.digest or digest_of(name) if name else f"sha256:{sha256(image)}"
    note = _note(image, folder)
    file = image if name is None else (folder / f"{digest.removeprefix('sha256:')[:16]}.sif").as_posix()
    wanted = Fetched(image, digest, file)
    if note.exists():
        before = Fetched(**json.loads(note.read_text(encoding="utf-8")))
        if before.digest != digest:
            raise FernnError(_moved(before, digest, note))
    if name and not Path(file).exists():
        plain = ["--no-https"] if is_local(name) else []
        _pull(f"docker://{name.host}/{name.name}@{digest}", Path(file), plain)
    write_json(note, asdict(wanted))
    return wanted


def program() -> str | None:
    """Apptainer under the name that it has here."""
    return next((name for name in ("apptainer", "singularity") if shutil.which(name)), None)


def _note(image: str, folder: Path) -> Path:
    return folder / f"{hashlib.sha256(image.encode()).hexdigest()[:16]}.json"


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
