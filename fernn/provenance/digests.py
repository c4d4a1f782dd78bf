"""Digests of plain values, and the time."""

import hashlib
import json
from datetime import UTC, datetime
from typing import Any


def identity(values: Any) -> str:
    """A digest of plain values; the order of lists counts, that of keys does not."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]


def now() -> str:
    """The time in UTC, to the second."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
