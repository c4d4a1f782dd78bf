"""Files that appear whole or not at all."""

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
    with _temporary(Path(path)) as temporary:
        yield temporary
        _finish(temporary)
        os.replace(temporary, path)


def write_once(path: str | Path, text: str) -> bool:
    """Write `text` to `path`, whole or not at all, unless the file is there; returns whether this call wrote it.

    Of several that try at once, on one machine or on many that share the file system, one succeeds.
    """
    with _temporary(Path(path)) as temporary:
        temporary.write_text(text, encoding="utf-8")
        _finish(temporary)
        try:
            os.link(temporary, path)
        except FileExistsError:
            # a network file system may have lost its answer, and been asked twice: then the file is this very one
            return temporary.stat().st_nlink > 1
        return True


def write_text(path: str | Path, text: str) -> None:
    """Write `text` to `path`, whole or not at all."""
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: str | Path, content: Any) -> None:
    """Write `content` as readable JSON with a stable key order, whole or not at all."""
    write_text(path, json.dumps(content, indent=1, sort_keys=True) + "\n")


@contextmanager
def _temporary(path: Path) -> Iterator[Path]:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".partial")
    os.close(descriptor)
    try:
        yield Path(name)
    finally:
        Path(name).unlink(missing_ok=True)


def _finish(temporary: Path) -> None:
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
