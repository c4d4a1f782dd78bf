"""The bytes of a download that is not whole yet: kept between calls, and held by one process at a time."""

import functools
import json
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Self

from fernn.files import remove_leftovers, write_json
from fernn.locks import in_place, take

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Origin:
    """Where bytes come from: address, strong ETag or else Last-Modified, and total size, as far as a server said."""

    url: str
    validator: str | None
    total: int | None


class Partial:
    """`<name>.partial` beside the target, with its origin in `<name>.partial.json`.

    `resumed` says whether bytes were kept when the transfer in hand began.
    """

    def __init__(self, target: Path, file: IO[bytes]) -> None:
        self.path = _beside(target)
        self.note = _note(self.path)
        self.file = file
        self.resumed = False

    @classmethod
    @contextmanager
    def locked(cls, target: Path) -> Iterator[Self]:
        """The partial file of `target`, waiting for any other process that is at it; left empty, it is removed."""
        path = _beside(target)
        wait = functools.partial(logger.warning, "another process is fetching %s: waiting for it", path)
        while True:
            with open(path, "ab") as file:
                # without locks, what is at stake is a second download, for the digest decides
                take(file.fileno(), wait, without=True)
                if not in_place(file.fileno(), path):
                    continue  # who held it before has renamed or removed it
                partial = cls(target, file)
                remove_leftovers(partial.note)
                try:
                    if partial.origin is None:
                        partial.clear()
                    yield partial
                finally:
                    if in_place(file.fileno(), path) and not partial.size:
                        partial.remove()
                return

    @property
    def size(self) -> int:
        """The number of bytes that are there."""
        return os.fstat(self.file.fileno()).st_size

    @property
    def origin(self) -> Origin | None:
        """Where the bytes came from; None if that is not known, so that they are of no use."""
        try:
            return Origin(**json.loads(self.note.read_text(encoding="utf-8")))
        except (FileNotFoundError, ValueError, TypeError):
            return None

    @origin.setter
    def origin(self, origin: Origin) -> None:
        write_json(self.note, asdict(origin))

    def write(self, chunk: bytes) -> None:
        """Append `chunk` so that it survives this process."""
        self.file.write(chunk)
        self.file.flush()

    def clear(self) -> None:
        """Begin anew."""
        self.file.truncate(0)
        self.resumed = False

    def become(self, target: Path) -> None:
        """Give the whole file its final name."""
        os.fsync(self.file.fileno())
        os.replace(self.path, target)
        _remove_note(self.path)

    def remove(self) -> None:
        """Leave nothing behind."""
        self.path.unlink(missing_ok=True)
        _remove_note(self.path)


def discard_partial(target: str | Path) -> None:
    """Forget what was downloaded of `target` (it came from elsewhere), unless a process is at it right now."""
    path = _beside(Path(target))
    if not path.exists():  # its last writer may have been killed between this name and the next
        _remove_note(path)
        return
    with suppress(FileNotFoundError), open(path, "rb+") as file:
        if take(file.fileno(), without=True):
            Partial(Path(target), file).remove()


def _beside(target: Path) -> Path:
    return target.with_name(f"{target.name}.partial")


def _note(partial: Path) -> Path:
    return partial.with_name(f"{partial.name}.json")


def _remove_note(partial: Path) -> None:
    _note(partial).unlink(missing_ok=True)
    remove_leftovers(_note(partial))
