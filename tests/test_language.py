"""The words of the text: no phrase that the style of this project replaces by another."""

import re
import subprocess
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
# a phrase as a regular expression, and what to write instead
PHRASES = {
    r"\bmade anew|\bbegins? anew|\banew\b": "rebuilt, restarts, again",
    r"\bmade again\b": "rebuilt",
    r"\btells? of\b|\bis told|\bwas told|\brecords? tells?\b": "state, report, list",
    r"\bn (not )?told\b": "n stated",
    r"\bheld (it |them )?against\b|\bholds? .{0,25}\bagainst\b": "verify, compare with",
    r"\btake[ns]? up\b": "resume",
    r"\bwhoever\b": "users, the caller, ...",
    r"\breckon": "estimate, compute",
    r"\bmend(s|ed|ing)?\b": "fix",
    r"what there is\b": "name the things",
    r"stands? (there|twice)\b": "is, is listed, duplicate",
    r"\btrivial forecasts?\b": "baseline",
    r"\bplain way\b": "baseline, reference implementation",
    r"\b(is|are|be) at work\b": "runs",
    r"\bdrawn afresh\b": "resampled",
    r"\bso many of (it|them)\b": "name the number",
    r"\bas (it is|they are)[.;]": "unchanged",
    r"\bnobody's own\b|\bno record of ours\b|\bin place of dying\b": "say what it is",
    r"\ba process of its own\b": "a separate process",
    r"\bwho waits\b": "locking; name the process",
    r"\bdies of\b|\bdying of\b": "ends with, is terminated by",
    r"\bpart of a batch\b": "micro-batch",
    r"\bworker number\b|\bnumber of workers\b": "rank, world size",
}
# results in git and files from elsewhere; texts of results, whose code digests cover strings; the phrases themselves
EXEMPT = re.compile(
    r"(artifacts|evidence|resources|tests/golden|tests/export/contexts)/|requirements/.*\.txt|tests/test_language\.py"
    r"|.*\.(lock|svg|png|gif|ipynb|npz|gz|safetensors|json)"
)
ALLOWED = {
    "fernn/models/registry.py": ["does not tell of"],
    "fernn/models/storage.py": ["does not tell of"],  # an error message: a change invalidates trained models
    "tests/models/test_storage.py": ["does not tell of"],
}


@cache
def texts() -> dict[str, str]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    paths = {name: ROOT / name for name in listed.split("\0") if name and not EXEMPT.match(name)}
    return {name: path.read_text(encoding="utf-8") for name, path in paths.items() if path.is_file()}


@pytest.mark.parametrize("phrase", PHRASES)
def test_standard_terms(phrase: str) -> None:
    found = []
    for name, text in texts().items():
        if re.search(phrase, text, re.IGNORECASE):
            for number, line in enumerate(text.splitlines(), 1):
                if re.search(phrase, line, re.IGNORECASE) and not any(each in line for each in ALLOWED.get(name, [])):
                    found.append(f"{name}:{number}: {line.strip()}")
    assert not found, f"write: {PHRASES[phrase]}\n" + "\n".join(found)
