"""Files that appear whole or not at all."""

import glob
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def atomic(path: str | Path) -> Iterator[Path]:
    """Give a temporary path in the folder of `path`; rename it to `path` on success, remove it on any error.

    A reader (another job, a killed run's successor) therefore never meets a half-written file, nor does one after a
    loss of power.
    """
    with temporary_beside(Path(path)) as temporary:
        yield temporary
        finish(temporary)
        os.replace(temporary, path)


def write_text(path: str | Path, text: str) -> None:
    """Write `text` to `path`, whole or not at all."""
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: str | Path, content: Any) -> None:
    """Write `content` as readable JSON with a stable key order, whole or not at all."""
    write_text(path, json.dumps(content, indent=1, sort_keys=True) + "\n")


@contextmanager
def temporary_beside(path: Path) -> Iterator[Path]:
    """A new file in the folder of `path`, which is made if need be; it is removed at the end, if it is still there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".partial")
    os.close(descriptor)
    try:
        yield Path(name)
    except OSError as error:
        if error.filename is None:  # as where a disk is full
            error.filename = str(path)
        raise
    finally:
        Path(name).unlink(missing_ok=True)


def remove_leftovers(path: Path) -> None:
    """Remove what a killed process left of `path` under a temporary name; nobody else may be writing it."""
    for left in path.parent.glob(f".{glob.escape(path.name)}.*.partial"):
        left.unlink(missing_ok=True)


def finish(temporary: Path) -> None:
    """Bring it to the disk before it gets its name, with the mode of this user's other files (mkstemp gives 0600)."""
    umask = os.umask(0)
    os.umask(umask)
    temporary.chmod(0o666 & ~umask)
    with open(temporary, "rb") as file:
        os.fsync(file.fileno())


def sha256(path: str | Path) -> str:
    """The sha256 digest of a file's bytes, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
