"""The zip file, and what is in it once it is unpacked.

The same results give the same bytes: names are sorted, and times are those of the records.
"""

import hashlib
import json
import shutil
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from urllib.parse import unquote
from zipfile import ZIP_STORED, ZipFile, ZipInfo

from fernn.errors import FernnError
from fernn.export.contents import Member
from fernn.files import atomic

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


def members_of(folder: Path) -> dict[str, str] | None:
    """The files that an archive, unpacked into a folder, came with; None if it is no such folder.

    Each has what its entry says of it: empty, or why it was not up to date when it was packed all the same.

    Raises:
        FernnError: if its description cannot be read.
    """
    path = folder / METADATA
    if not path.is_file():
        return None
    try:
        entities = json.loads(path.read_bytes())["@graph"]
        files = (each for each in entities if "File" in each["@type"])
        return {unquote(each["@id"]): str(each.get("creativeWorkStatus", "")) for each in files}
    except (ValueError, KeyError, TypeError) as error:
        raise FernnError(f"{path}: no description of an archive ({error!r}). Unpack the archive again.") from None


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
