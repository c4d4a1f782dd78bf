"""The community's validator (rocrate-validator, by CRS4), without a network.

Its profiles come with it. The two JSON-LD contexts, which it would fetch, are put into its cache: RO-Crate 1.1.3 (CC0)
and the terms of Workflow Run RO-Crate, from github.com/ResearchObject/ro-crate and github.com/ResearchObject/ro-terms.
"""

import warnings
from io import BytesIO
from pathlib import Path
from typing import Any

from requests import PreparedRequest, Response
from requests.adapters import HTTPAdapter
from requests_cache import CachedSession
from rocrate_validator import services
from urllib3 import HTTPResponse

FOLDER = Path(__file__).parent / "contexts"
CONTEXTS = {
    "https://w3id.org/ro/crate/1.1/context": FOLDER / "ro-crate-1.1.jsonld",
    "https://w3id.org/ro/terms/workflow-run/context": FOLDER / "workflow-run.jsonld",
}


class FromFiles(HTTPAdapter):
    """Answers with the contexts' own text."""

    def send(self, request: PreparedRequest, **_: Any) -> Response:
        body, headers = BytesIO(CONTEXTS[request.url].read_bytes()), {"Content-Type": "application/ld+json"}
        raw = HTTPResponse(body, headers, 200, preload_content=False, request_url=request.url)
        return self.build_response(request, raw)


def validate(crate: Path, cache: Path, severity: str = "REQUIRED") -> dict[str, Any]:
    """What the validator finds by the profile Provenance Run Crate and all that it is based on.

    Returns:
        "profiles" (identifiers with versions), "checks" (how many ran), "skipped" (those that did not, and why), and
        "issues", one sentence each.
    """
    with CachedSession(str(cache / "http"), backend="sqlite", expire_after=-1) as session:
        session.mount("https://", FromFiles())
        for address in CONTEXTS:
            assert session.get(address).ok
    settings = {
        "rocrate_uri": str(crate),
        "profile_identifier": "provenance-run-crate",
        "requirement_severity": severity,
        "offline": True,
        "cache_path": cache / "http",
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the libraries of the validator
        result = services.validate(settings)
    return {
        "profiles": sorted({check.requirement.profile.identifier for check in result.executed_checks}),
        "checks": len(result.executed_checks),
        "skipped": [str(detail) for detail in result.skipped_check_details],
        "issues": [f"{issue.violatingEntity}: {issue.message}" for issue in result.get_issues()],
    }
