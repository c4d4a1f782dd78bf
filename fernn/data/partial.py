"""The bytes of an unfinished download: kept between calls, and held by one process at a time."""

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

    def continues(self, kept: "Origin | None") -> bool:
        """Whether bytes from here may follow bytes of `kept`; between mirrors only the size can say."""
        if kept is None or kept.total != self.total:
            return False
        return kept.url != self.url or kept.validator == self.validator


class Partial:
    """`<name>.partial` beside the target, with its origin in `<name>.partial.json`.

    `resumed` says whether bytes were kept when the current transfer began.
    """

    def __init__(self, target: Path) -> None:
        self.path = target.with_name(f"{target.name}.partial")
        self.note = target.with_name(f"{target.name}.partial.json")
        self.file: IO[bytes]
        self.resumed = False

    @classmethod
    @contextmanager
    def locked(cls, target: Path) -> Iterator[Self]:
        """The partial file of `target`, after waiting for any other process; an empty one is removed at the end."""
        partial = cls(target)
        wait = functools.partial(logger.warning, "another process is fetching %s: waiting for it", partial.path)
        while True:
            with open(partial.path, "ab") as file:
                # without locks, what is at stake is a second download, for the digest decides
                take(file.fileno(), wait, without=True)
                if not in_place(file.fileno(), partial.path):
                    continue  # who held it before has renamed or removed it
                partial.file = file
                remove_leftovers(partial.note)
                try:
                    if partial.origin is None:
                        partial.clear()
                    yield partial
                finally:
                    if in_place(file.fileno(), partial.path) and not partial.size:
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
        """Start again without bytes."""
        self.file.truncate(0)
        self.resumed = False

    def become(self, target: Path) -> None:
        """Give the whole file its final name."""
        os.fsync(self.file.fileno())
        os.replace(self.path, target)
        self._remove_note()

    def remove(self) -> None:
        """Remove the file and its origin."""
        self.path.unlink(missing_ok=True)
        self._remove_note()

    def _remove_note(self) -> None:
        self.note.unlink(missing_ok=True)
        remove_leftovers(self.note)


def discard_partial(target: str | Path) -> None:
    """Remove the partial file of `target` (the file came from elsewhere), unless a process holds it right now."""
    partial = Partial(Path(target))
    if not partial.path.exists():  # its last writer may have been killed between removing this file and its note
        partial._remove_note()
        return
    with suppress(FileNotFoundError), open(partial.path, "rb+") as file:
        if take(file.fileno(), without=True):
            partial.remove()
