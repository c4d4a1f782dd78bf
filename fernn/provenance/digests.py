"""Digests of code and of inputs: what a result depends on, in a few characters."""

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import grimp

PACKAGE = Path(__file__).parent.parent


@cache
def code_of(module: str) -> tuple[str, ...]:
    """The modules of this library that `module` runs: itself and all that it imports, directly or not, sorted."""
    return tuple(sorted({module, *_graph().find_upstream_modules(module)}))


@cache
def code_digest(module: str) -> str:
    """A digest of the source of all those modules: it changes if and only if one of them does."""
    digest = hashlib.sha256()
    for name in code_of(module):
        digest.update(f"{name}\n".encode() + _source(name).read_bytes())
    return digest.hexdigest()[:16]


def identity(inputs: Mapping[str, Any]) -> str:
    """A digest of plain values."""
    return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()[:16]


def now() -> str:
    """The time in UTC, to the second."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@cache
def _graph() -> grimp.ImportGraph:
    # what is imported for type checking alone changes no result
    return grimp.build_graph("fernn", cache_dir=None, exclude_type_checking_imports=True)


def _source(module: str) -> Path:
    path = PACKAGE.joinpath(*module.split(".")[1:])
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
