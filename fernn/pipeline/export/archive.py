"""The zip file, and what is in it once it is unpacked.

The same results give the same bytes: names are sorted, and times are those of the records.
"""

import hashlib
import json
import shutil
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote
from zipfile import ZIP_STORED, ZipFile, ZipInfo

from fernn.errors import FernnError
from fernn.files import atomic
from fernn.pipeline.export.contents import Member

METADATA = "ro-crate-metadata.json"
CHUNK = 1 << 20


def write_archive(path: Path, members: Iterable[Member], metadata: str, time: str) -> None:
    """Write the archive, whole or not at all.

    Nothing is compressed: what a compressor makes differs between versions of zlib, and weights do not shrink.

    Args:
        path: of the zip file.
        members: its files.
        metadata: the text of ro-crate-metadata.json.
        time: of the metadata, in UTC.

    Raises:
        FernnError: if a file changed since its digest was taken.
    """
    with atomic(path) as temporary, ZipFile(temporary, "w", ZIP_STORED) as archive:
        archive.writestr(_entry(METADATA, time), metadata.encode())
        for member in sorted(members, key=lambda member: member.name):
            executable = member.source.stat().st_mode & 0o100
            entry = _entry(member.name, member.time, 0o755 if executable else 0o644)
            entry.file_size = member.size  # so that it knows whether it needs the format of large files
            with open(member.source, "rb") as file, archive.open(entry, "w") as target:
                shutil.copyfileobj(file, hashed := _Hashed(target), CHUNK)
            if hashed.digest.hexdigest() != member.sha256:
                raise FernnError(f"{member.source} changed while it was packed. Wait for what writes it; export again.")


class Entry(NamedTuple):
    """A file as ro-crate-metadata.json lists it; `status` says why it was not up to date when packed, or is empty."""

    status: str
    sha256: str
    size: int


def entries_of(folder: Path) -> dict[str, Entry] | None:
    """Files that the metadata of an unpacked archive list, by name; None if the folder has no metadata.

    Raises:
        FernnError: if the metadata cannot be read.
    """
    path = folder / METADATA
    if not path.is_file():
        return None
    try:
        entities = json.loads(path.read_bytes())["@graph"]
        files = (each for each in entities if "File" in each["@type"])
        return {
            unquote(each["@id"]): Entry(
                str(each.get("creativeWorkStatus", "")), each["sha256"], int(each["contentSize"])
            )
            for each in files
        }
    except (ValueError, KeyError, TypeError) as error:
        raise FernnError(f"{path}: no description of an archive ({error!r}). Unpack the archive again.") from None


def members_of(folder: Path) -> dict[str, str] | None:
    """The status of each file that an unpacked archive lists, see `entries_of`."""
    entries = entries_of(folder)
    return None if entries is None else {name: entry.status for name, entry in entries.items()}


class _Hashed:
    """A file that knows the digest of what was written."""

    def __init__(self, target) -> None:  # type: ignore[no-untyped-def]
        self.target, self.digest = target, hashlib.sha256()

    def write(self, part: bytes) -> int:
        self.digest.update(part)
        return int(self.target.write(part))


def _entry(name: str, time: str, mode: int = 0o644) -> ZipInfo:
    at = datetime.fromisoformat(time)
    entry = ZipInfo(name, (at.year, at.month, at.day, at.hour, at.minute, at.second))
    entry.create_system = 3  # Unix, whatever system writes it
    entry.external_attr = (0o100000 | mode) << 16
    return entry
