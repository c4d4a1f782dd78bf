"""What a registry says that a tag means now, by the protocol of the OCI distribution specification."""

import hashlib
import os
from base64 import b64encode

import requests
from requests.utils import parse_dict_header

from fernn.errors import FernnError
from fernn.params.image import InRegistry

TIMEOUT = (10.0, 30.0)  # seconds until it answers, and between two pieces of its answer
# lists of images for several machines, and single images
MANIFESTS = ", ".join(
    [
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.docker.distribution.manifest.v2+json",
    ]
)


def is_local(image: InRegistry) -> bool:
    """Whether the registry is on this machine: such a one is asked without encryption, as Docker does."""
    return image.host.split(":")[0] in ("localhost", "127.0.0.1")


def digest_of(image: InRegistry) -> str:
    """The digest that the image's tag stands for now.

    A registry that wants to know who asks is told APPTAINER_DOCKER_USERNAME and APPTAINER_DOCKER_PASSWORD, as Apptainer
    tells it.

    Raises:
        FernnError: if the registry does not answer, or does not give the image.
    """
    # the one registry whose interface has another name than its images
    host = "registry-1.docker.io" if image.host == "docker.io" else image.host
    url = f"{'http' if is_local(image) else 'https'}://{host}/v2/{image.name}/manifests/{image.tag}"
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
