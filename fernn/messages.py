"""Words for a person."""

import sys
from collections.abc import Sequence


def listed(items: Sequence[str], most: int = 10) -> str:
    """Some lines for a message, indented, and how many there are more."""
    more = [f"... and {len(items) - most} more"] if len(items) > most else []
    return "".join(f"\n  {line}" for line in [*items[:most], *more])


def say(line: str) -> None:
    """Tell a person a line, beside what a command prints as its result."""
    print(line, file=sys.stderr)
