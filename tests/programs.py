"""Programs made up for a test, in place of those that a machine may have."""

from pathlib import Path


def program(path: Path, lines: str = "") -> Path:
    """Write a script of the shell that can be executed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{lines}\n")
    path.chmod(0o755)
    return path
