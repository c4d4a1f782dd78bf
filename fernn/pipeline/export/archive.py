"""The zip file of an export, and the list of its files once it is unpacked.

The same results give the same bytes: names are sorted, and times are those of the records.
"""

import hashlib
import json
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote
from zipfile import ZIP_STORED, ZipFile, ZipInfo

from fernn.errors import FernnError
from fernn.files import atomic, sha256
from fernn.pipeline.export.contents import Member

METADATA = "ro-crate-metadata.json"


def write_archive(path: Path, members: Iterable[Member], metadata: str, time: str) -> None:
    """Write the archive, completely or not at all.

    Nothing is compressed: compressed bytes differ between versions of zlib, and weights do not shrink.

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
            entry.file_size = member.size  # decides whether the zip64 format is needed
            digest = hashlib.sha256()
            with open(member.source, "rb") as file, archive.open(entry, "w") as target:
                while part := file.read(1 << 20):
                    digest.update(part)
                    target.write(part)
            if digest.hexdigest() != member.sha256:
                raise FernnError(f"{member.source} changed while it was packed. Wait for what writes it; export again.")


def _entry(name: str, time: str, mode: int = 0o644) -> ZipInfo:
    entry = ZipInfo(name, datetime.fromisoformat(time).timetuple()[:6])
    entry.create_system = 3  # Unix, whatever system writes it
    entry.external_attr = (0o100000 | mode) << 16
    return entry


class ArchivedFile(NamedTuple):
    """A file as the metadata of an archive list it; `fault` is why it was not up to date when packed, or empty."""

    fault: str
    sha256: str
    size: int

    def is_same(self, path: Path) -> bool:
        """Whether a file has the size and sha256 that are listed."""
        return path.is_file() and path.stat().st_size == self.size and sha256(path) == self.sha256


def files_of(folder: Path) -> dict[str, ArchivedFile] | None:
    """The files that the metadata of an unpacked archive list, by name; None if the folder has no metadata.

    Raises:
        FernnError: if the metadata cannot be read.
    """
    path = folder / METADATA
    if not path.is_file():
        return None
    try:
        files = (each for each in json.loads(path.read_bytes())["@graph"] if "File" in each["@type"])
        return {
            unquote(each["@id"]): ArchivedFile(
                str(each.get("creativeWorkStatus", "")), each["sha256"], int(each["contentSize"])
            )
            for each in files
        }
    except (ValueError, KeyError, TypeError) as error:
        raise FernnError(f"{path}: no description of an archive ({error!r}). Unpack the archive again.") from None
