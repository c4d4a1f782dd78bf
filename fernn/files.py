"""Atomic writes: a file appears whole or not at all. Digests of files."""

import errno
import glob
import hashlib
import json
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def atomic(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path next to `path`; rename it to `path` on success, remove it on any error.

    Readers, such as another job or a resumed run, never see a half-written file, even after a power loss.
    """
    with temporary_beside(Path(path)) as temporary:
        yield temporary
        finish(temporary)
        os.replace(temporary, path)


def write_text(path: str | Path, text: str) -> None:
    """Write `text` to `path` atomically."""
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: str | Path, content: Any) -> None:
    """Write `content` atomically as indented JSON with sorted keys."""
    write_text(path, json.dumps(content, indent=1, sort_keys=True) + "\n")


@contextmanager
def temporary_beside(path: Path) -> Iterator[Path]:
    """Yield a new file in the folder of `path`, created if missing; remove the file at the end if it still exists."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".partial")
    os.close(descriptor)
    try:
        yield Path(name)
    except OSError as error:
        if error.filename is None:  # for example, if the disk is full
            error.filename = str(path)
        raise
    finally:
        Path(name).unlink(missing_ok=True)


def remove_leftovers(path: Path) -> None:
    """Remove the temporary files that a killed writer of `path` left; no other process may be writing it."""
    for left in path.parent.glob(f".{glob.escape(path.name)}.*.partial"):
        left.unlink(missing_ok=True)


def finish(temporary: Path) -> None:
    """Sync a temporary file to disk, with the user's default mode (mkstemp gives 0600), before it is renamed."""
    umask = os.umask(0)
    os.umask(umask)
    temporary.chmod(0o666 & ~umask)
    with open(temporary, "rb") as file:
        os.fsync(file.fileno())


def check_ends(path: str | Path) -> None:
    """Refuse a device or a pipe, which may never end.

    Raises:
        OSError: if it is one, or is missing.
    """
    mode = Path(path).stat().st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise OSError(errno.EINVAL, "a device or a pipe, where a file is expected", str(path))


def sha256(path: str | Path) -> str:
    """The sha256 digest of a file's bytes, in hexadecimal."""
    check_ends(path)
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
