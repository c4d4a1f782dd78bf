"""Downloads that end in the right file or in one error that lists every source tried.

The bytes on the way lie beside the target as `<name>.partial`, are resumed by range request, and get the final name
only after their digest was checked.
"""

import gzip
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import NamedTuple

import requests

from fernn.data.digests import Digest, WrongFileError, check, install, verify
from fernn.data.partial import Partial
from fernn.data.transfer import Patience, Progress, RefusedError, Transfer, TransientError
from fernn.errors import FernnError

ALREADY_THERE = "already there"


class Fetched(NamedTuple):
    """Where a file came from (a source, or `ALREADY_THERE`) and its sha256."""

    source: str
    sha256: Digest


class Failure(NamedTuple):
    """Why one source did not give the file; `found` is the sha256 of a whole file that is not accepted."""

    source: str
    reason: str
    found: Digest | None = None


class DownloadError(FernnError):
    """Every source failed; `failures` says how, in the order of trying."""

    def __init__(self, what: str, failures: Sequence[Failure], advice: str) -> None:
        self.failures = tuple(failures)
        tried = "".join(f"\n  {failure.source}: {failure.reason}" for failure in failures)
        super().__init__(f"cannot get {what}; tried:{tried}\n{advice}")


def fetch(
    urls: Sequence[str],
    path: str | Path,
    digests: Collection[Digest],
    *,
    gunzip: bool = False,
    size: int | None = None,
    progress: Progress | None = None,
    patience: Patience | None = None,
) -> Fetched:
    """Bring the file to `path` from the first of `urls` that gives it, unless it is there already.

    One of `digests` must match the file. With `gunzip` the sources serve it gzipped, and `digests` and `size` (bytes)
    are those of the unpacked file. Of several processes that fetch one file, one downloads and the others wait for it.

    Raises WrongFileError if `path` exists with other bytes (it is left alone), DownloadError if every source failed,
    FernnError if the folder cannot be written.
    """
    if isinstance(urls, str) or not urls or not digests:
        raise ValueError("fetch needs a list of URLs and at least one accepted digest")
    path = Path(path)
    failures = []
    try:
        if path.exists():
            return Fetched(ALREADY_THERE, verify(path, digests, size))
        path.parent.mkdir(parents=True, exist_ok=True)
        with Partial.locked(path) as partial, requests.Session() as session:
            if path.exists():  # it came while this process waited for the lock
                return Fetched(ALREADY_THERE, verify(path, digests, size))
            transfer = Transfer(session, partial, progress, patience or Patience())
            for url in urls:
                try:
                    return Fetched(url, _from(transfer, url, path, digests, gunzip, size))
                except WrongFileError as error:
                    failures.append(Failure(url, str(error), error.found))
                except (RefusedError, TransientError) as error:
                    failures.append(Failure(url, str(error)))
            kept = f" (it resumes after {partial.size:,} bytes)" if partial.size else ""
    except OSError as error:
        raise FernnError(f"cannot write {path}: {error}. Make room, or choose a folder you may write to") from error
    accepted = " or ".join(map(str, digests))
    advice = f"Check the network and the proxy settings and run this again{kept}, or put the file there: {accepted}"
    raise DownloadError(str(path), failures, advice)


def _from(
    transfer: Transfer, url: str, path: Path, digests: Collection[Digest], gunzip: bool, size: int | None
) -> Digest:
    """Bring the file to `path` from `url` alone; its sha256."""
    partial = transfer.partial
    for last in (False, True):
        transfer.run(url, path.name)
        try:
            if gunzip:
                with gzip.open(partial.path) as stream:
                    found = install(stream, path, digests, size)
                partial.remove()
            else:
                with open(partial.path, "rb") as file:
                    found = check(file, digests, size)
                partial.become(path)
            return found
        except WrongFileError:
            resumed = partial.resumed
            partial.clear()
            if last or not resumed:
                raise
            # the bytes kept from before may be to blame: once more, from the start
    raise AssertionError("unreachable")
