"""The fetched files: their record, and the archives of videos, whose members are verified and read, never unpacked."""

import hashlib
import json
import os
import zipfile
import zlib
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from fernn.data.digests import CHUNK
from fernn.data.kth.release import FILES, Annotations, Video
from fernn.errors import FernnError
from fernn.files import sha256

if TYPE_CHECKING:
    from fernn.data.download import Progress

Item = TypeVar("Item")
Result = TypeVar("Result")
RECORD = "fetched.json"
ENTRY = {"sha256", "source", "accepted", "digest"}
LARGEST = 1 << 28  # bytes of one video; the longest official one has a few million
CURE = "Delete it and fetch it again; if you accepted its digest yourself, it is not what you took it for"
FETCH = "fernn fetch kth --scale SCALE"


def read_record(folder: str | Path) -> dict[str, Any]:
    """The record that `fetch_kth` wrote in `folder`. FernnError if it is missing or broken."""
    path = Path(folder) / RECORD
    try:
        record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if set(record["files"]) != set(FILES) or any(set(entry) != ENTRY for entry in record["files"].values()):
            raise ValueError("it does not list all files")
        return record
    except FileNotFoundError:
        raise FernnError(f"{folder} holds no {RECORD}: the files are not all there. Run: {FETCH}") from None
    except (ValueError, KeyError, TypeError) as error:
        raise FernnError(f"{path} is broken ({error}). Run: {FETCH}") from None


def contents(path: str | Path) -> str:
    """A digest (sha256) of the files that a record lists, whatever their source."""
    try:
        record = json.loads(Path(path).read_text(encoding="utf-8"))
        digests = {file: entry["sha256"] for file, entry in record["files"].items()}
        plain = json.dumps([record["release"], record["stand_in"], digests], sort_keys=True)
        return hashlib.sha256(plain.encode()).hexdigest()
    except (ValueError, KeyError, TypeError, AttributeError):
        return sha256(path)  # a broken record: equal to no other


def members(annotations: Annotations, action: str) -> dict[str, Video]:
    """The members that the archive of an action must have."""
    return {video.file: video for video in annotations.videos if video.action == action}


@contextmanager
def open_archive(path: str | Path, names: Collection[str]) -> Iterator[zipfile.ZipFile]:
    """Open a zip archive whose members must be exactly the files `names`; directories are ignored.

    A member is only read by an expected name, so no name in an archive leads outside.

    Raises:
        FernnError: if it is missing or no zip archive, if a member is unknown, missing, duplicate, encrypted or huge,
            or for whatever is found broken while it is open.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            _check_names(path, archive, set(names))
            yield archive
    except FileNotFoundError:
        raise FernnError(f"{path}: no such file. Fetch it: {FETCH}") from None
    except OSError as error:
        raise FernnError(f"cannot read {path}: {error}") from error
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, UnicodeDecodeError) as error:
        raise FernnError(f"{path} is a broken archive: {error}. {CURE}") from error


def check_archive(path: str | Path, names: Collection[str], progress: "Progress | None" = None) -> dict[str, str]:
    """Verify the names of all members and the CRC of each; returns their sha256. FernnError as in `open_archive`."""
    digests = {}
    with open_archive(path, names) as archive:
        infos = _files(archive)
        total, done = sum(info.file_size for info in infos), 0
        for info in infos:
            digest = hashlib.sha256()
            with archive.open(info) as member:
                while chunk := member.read(CHUNK):  # the last one raises if the CRC is wrong
                    digest.update(chunk)
                    done += len(chunk)
            digests[info.filename] = digest.hexdigest()
            if progress:
                progress(f"{Path(path).name} [check]", done, total)
    return digests


def _check_names(path: str | Path, archive: zipfile.ZipFile, names: set[str]) -> None:
    infos = _files(archive)
    found = [info.filename for info in infos]
    faults = {
        "unknown members": sorted(set(found) - names),
        "missing members": sorted(names - set(found)),
        "duplicate members": sorted({name for name in found if found.count(name) > 1}),
        f"members of more than {LARGEST:,} bytes": [info.filename for info in infos if info.file_size > LARGEST],
        "encrypted members": [info.filename for info in infos if info.flag_bits & 1],
    }
    if any(faults.values()):
        words = "; ".join(f"{what}: {_some(which)}" for what, which in faults.items() if which)
        raise FernnError(f"{path} has {words}. {CURE}")


def _files(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    return [info for info in archive.infolist() if not info.is_dir()]


def _some(names: list[str], most: int = 5) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(map(repr, names[:most])) + more


def cores() -> int:
    """The number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def in_order(function: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[Result]:
    """`function` of each item, in their order, on all cores: FFmpeg and NumPy release Python's lock.

    The first exception is raised here.
    """
    pool = ThreadPoolExecutor(cores())
    try:
        yield from pool.map(function, items)
    finally:
        pool.shutdown(cancel_futures=True)
