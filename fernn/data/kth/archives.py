"""The archives of video: members are checked by name and content and read one by one, never unpacked."""

import zipfile
import zlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from fernn.data.digests import CHUNK
from fernn.errors import FernnError

if TYPE_CHECKING:
    from fernn.data.transfer import Progress

LARGEST = 1 << 28  # bytes of one video; the longest official one has a few million
CURE = "Delete it and fetch it again; if you accepted its digest yourself, it is not what you took it for"


@contextmanager
def open_archive(path: str | Path, names: Collection[str]) -> Iterator[zipfile.ZipFile]:
    """Open a zip archive whose members must be exactly the files `names`.

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
        total, done = sum(info.file_size for info in archive.infolist()), 0
        for info in archive.infolist():
            with archive.open(info) as member:
                while chunk := member.read(CHUNK):  # the last one raises if the CRC is wrong
                    done += len(chunk)
            if progress:
                progress(f"{Path(path).name} [check]", done, total)


def _check_names(path: str | Path, archive: zipfile.ZipFile, names: set[str]) -> None:
    found = [info.filename for info in archive.infolist()]
    faults = {
        "unknown members": sorted(set(found) - names),
        "missing members": sorted(names - set(found)),
        "members that are there twice": sorted({name for name in found if found.count(name) > 1}),
        f"members of more than {LARGEST:,} bytes": [i.filename for i in archive.infolist() if i.file_size > LARGEST],
        "encrypted members": [info.filename for info in archive.infolist() if info.flag_bits & 1],
    }
    if told := [f"{what}: {_some(which)}" for what, which in faults.items() if which]:
        raise FernnError(f"{path} has {'; '.join(told)}. {CURE}")


def _some(names: list[str], most: int = 5) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(map(repr, names[:most])) + more
