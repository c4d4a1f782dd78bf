"""The fetched files: their record, and the archives of video, whose members are checked and read, never unpacked."""

import hashlib
import json
import zipfile
import zlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fernn.data.digests import CHUNK
from fernn.data.kth.release import FILES, Annotations, Video
from fernn.errors import FernnError
from fernn.files import sha256

if TYPE_CHECKING:
    from fernn.data.download import Progress

RECORD = "fetched.json"
ENTRY = {"sha256", "source", "accepted", "digest"}
LARGEST = 1 << 28  # bytes of one video; the longest official one has a few million
CURE = "Delete it and fetch it again; if you accepted its digest yourself, it is not what you took it for"


def read_record(folder: str | Path) -> dict[str, Any]:
    """The record that `fetch_kth` left in `folder`. FernnError if it never came to its end there."""
    try:
        record: dict[str, Any] = json.loads((Path(folder) / RECORD).read_text(encoding="utf-8"))
        if set(record["files"]) != set(FILES) or any(set(told) != ENTRY for told in record["files"].values()):
            raise ValueError("it does not tell of all files")
        return record
    except FileNotFoundError:
        raise FernnError(
            f"{folder} holds no {RECORD}: the files are not all there. Run: fernn fetch kth --scale SCALE"
        ) from None
    except (ValueError, KeyError, TypeError) as error:
        raise FernnError(f"{Path(folder) / RECORD} is broken ({error}). Run: fernn fetch kth --scale SCALE") from None


def contents(path: str | Path) -> str:
    """A digest (sha256) of what a record says was fetched, from wherever: the same files give the same one."""
    try:
        record = json.loads(Path(path).read_text(encoding="utf-8"))
        told = {file: entry["sha256"] for file, entry in record["files"].items()}
        plain = json.dumps([record["release"], record["stand_in"], told], sort_keys=True)
        return hashlib.sha256(plain.encode()).hexdigest()
    except (ValueError, KeyError, TypeError, AttributeError):
        return sha256(path)  # broken, and so no other's


def members(annotations: Annotations, action: str) -> dict[str, Video]:
    """The members that the archive of an action must have."""
    return {video.file: video for video in annotations.videos if video.action == action}


@contextmanager
def open_archive(path: str | Path, names: Collection[str]) -> Iterator[zipfile.ZipFile]:
    """Open a zip archive whose members must be exactly the files `names`; entries of directories do not count.

    A member is only ever read under a name that was asked for, so no name in an archive leads anywhere.

    Raises:
        FernnError: if it is missing or no zip archive, or if a member is unknown, missing, there twice or huge; also
            for whatever is found broken while it is open.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            _check_names(path, archive, set(names))
            yield archive
    except FileNotFoundError:
        raise FernnError(f"{path}: no such file. Bring it there with: fernn fetch kth --scale SCALE") from None
    except OSError as error:
        raise FernnError(f"cannot read {path}: {error}") from error
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, UnicodeDecodeError) as error:
        raise FernnError(f"{path} is a broken archive: {error}. {CURE}") from error


def check_archive(path: str | Path, names: Collection[str], progress: "Progress | None" = None) -> None:
    """Check the names of all members and the CRC of each. FernnError as in `open_archive`."""
    with open_archive(path, names) as archive:
        infos = _files(archive)
        total, done = sum(info.file_size for info in infos), 0
        for info in infos:
            with archive.open(info) as member:
                while chunk := member.read(CHUNK):  # the last one raises if the CRC is wrong
                    done += len(chunk)
            if progress:
                progress(f"{Path(path).name} [check]", done, total)


def _check_names(path: str | Path, archive: zipfile.ZipFile, names: set[str]) -> None:
    infos = _files(archive)
    found = [info.filename for info in infos]
    faults = {
        "unknown members": sorted(set(found) - names),
        "missing members": sorted(names - set(found)),
        "members that are there twice": sorted({name for name in found if found.count(name) > 1}),
        f"members of more than {LARGEST:,} bytes": [info.filename for info in infos if info.file_size > LARGEST],
        "encrypted members": [info.filename for info in infos if info.flag_bits & 1],
    }
    if told := [f"{what}: {_some(which)}" for what, which in faults.items() if which]:
        raise FernnError(f"{path} has {'; '.join(told)}. {CURE}")


def _files(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    return [info for info in archive.infolist() if not info.is_dir()]


def _some(names: list[str], most: int = 5) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(map(repr, names[:most])) + more
