"""What `image` of params.yaml may be: an image in a registry, or a file of Apptainer's."""

import re
from dataclasses import dataclass

FORMS = "docker://HOST/NAME:TAG, docker://HOST/NAME@sha256:DIGEST, or the path of a file ending in .sif"
_IN_REGISTRY = re.compile(
    r"docker://(?P<host>localhost|[\w-]+(?:\.[\w-]+)+|[\w.-]+(?=:\d))(?P<port>:\d+)?"
    r"/(?P<name>[a-z0-9._-]+(?:/[a-z0-9._-]+)*)(?::(?P<tag>\w[\w.-]*))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?"
)
_FILE = re.compile(r"[^\s:]+\.sif")  # Snakemake takes no white space


@dataclass(frozen=True)
class InRegistry:
    """An image in a registry, by a tag, which may move, or by its digest, which may not.

    Attributes:
        host: of the registry, with its port if there is one.
        name: of the image there.
        tag: None if there is a digest.
        digest: such as sha256:0123...
    """

    host: str
    name: str
    tag: str | None
    digest: str | None


def in_registry(image: str) -> InRegistry | None:
    """The parts of an image's address; None for a file of Apptainer's.

    Raises:
        ValueError: if it is neither.
    """
    found = _IN_REGISTRY.fullmatch(image)
    if found:
        tag = None if found["digest"] else found["tag"] or "latest"
        return InRegistry(found["host"] + (found["port"] or ""), found["name"], tag, found["digest"])
    if not _FILE.fullmatch(image):
        raise ValueError(f"image is {image!r}; expected {FORMS}")
    return None
