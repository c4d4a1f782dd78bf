"""Downloads: resumed after an interruption, verified by their digests, and taken from the next mirror after a failure.

The bytes so far are kept in `<name>.partial` and get the final name only after their digest was verified. (`pooch` does
not resume.)
"""

import functools
import gzip
import logging
import os
import re
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, NamedTuple, Self
from urllib.parse import urlsplit

import requests
import tenacity
import urllib3
from rich.console import Console
from rich.filesize import decimal
from rich.progress import BarColumn, DownloadColumn, TaskID, TextColumn, TimeRemainingColumn, TransferSpeedColumn
from rich.progress import Progress as Bars

from fernn import __version__
from fernn.data.digests import CHUNK, Digest, WrongFileError, check, install, verify
from fernn.errors import FernnError
from fernn.locks import in_place, take

logger = logging.getLogger(__name__)

ALREADY_THERE = "already there"
TRANSIENT_STATUS = {408, 425, 429, 500, 502, 503, 504}  # worth another try, as no other error status is
LOOPBACK = {"127.0.0.1", "::1", "localhost"}  # reached without a proxy, whatever http_proxy and ALL_PROXY say

# called with the name of the file, its bytes so far, and its size if known
Progress = Callable[[str, int, int | None], None]


@dataclass(frozen=True)
class Patience:
    """Attempts per source; waits and timeouts in seconds."""

    attempts: int = 5
    wait: float = 1.0  # before the second attempt; doubles with each further one
    longest: float = 30.0  # no wait is longer, whatever the server asks for
    connect: float = 10.0
    read: float = 30.0  # between two pieces of data


PATIENCE = Patience()


class Fetched(NamedTuple):
    """The source of a file (an address, a folder, or `ALREADY_THERE`) and its sha256."""

    source: str
    sha256: Digest


class Failure(NamedTuple):
    """Why a source failed; `found` is the sha256 of a complete file with an unknown digest."""

    source: str
    reason: str
    found: Digest | None = None


class DownloadError(FernnError):
    """Every source failed; `failures` has the reasons, in the order of trying."""

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
) -> Fetched:
    """Download a file to `path` from the first of `urls` that works, unless it exists already.

    One of `digests` must match. With `gunzip` the sources serve the file gzipped, and `digests` and `size` (bytes) are
    those of the unpacked file. Of several processes that fetch one file, one downloads and the others wait.

    Raises:
        WrongFileError: if `path` exists with other bytes (it is left alone).
        DownloadError: if every source failed.
        FernnError: if the folder cannot be written.
    """
    path = Path(path)
    failures = []
    try:
        if path.exists():
            return Fetched(ALREADY_THERE, verify(path, digests, size))
        path.parent.mkdir(parents=True, exist_ok=True)
        with Partial.locked(path) as partial, requests.Session() as session:
            if path.exists():  # another process fetched it while this one waited for the lock
                return Fetched(ALREADY_THERE, verify(path, digests, size))
            # identity: the bytes as they are stored; a resumed file must not be compressed on the way
            session.headers.update({"User-Agent": f"fernn/{__version__}", "Accept-Encoding": "identity"})
            transfer = _Transfer(session, partial, path.name, progress)
            for url in urls:
                try:
                    return Fetched(url, transfer.fetch(url, path, digests, gunzip, size))
                except (WrongFileError, _RefusedError, _TransientError) as error:
                    failures.append(Failure(url, str(error), getattr(error, "found", None)))
            kept = f" (it resumes after {partial.size:,} bytes)" if partial.size else ""
    except OSError as error:
        raise FernnError(f"cannot write {path}: {error}. Make room, or choose a folder you may write to") from error
    accepted = " or ".join(map(str, digests))
    advice = f"Check the network and the proxy settings and run this again{kept}, or put the file there: {accepted}"
    raise DownloadError(str(path), failures, advice)


@contextmanager
def show_progress(console: Console | None = None, interval: float = 10.0) -> Iterator[Progress]:
    """Yield a `Progress`: bars on a terminal; in a log, one line for each file every `interval` seconds."""
    console = console or Console(stderr=True)
    tasks: dict[str, TaskID] = {}
    shown: dict[str, float] = {}
    columns = TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn()
    with Bars(*columns, TimeRemainingColumn(), console=console, disable=not console.is_terminal) as bars:

        def show(name: str, done: int, total: int | None) -> None:
            if console.is_terminal:
                if name not in tasks:
                    tasks[name] = bars.add_task(name)
                bars.update(tasks[name], completed=done, total=total)
            elif done == total or time.monotonic() - shown.get(name, -interval) >= interval:
                shown[name] = time.monotonic()
                of = decimal(total) if total is not None else "unknown size"
                console.print(f"{name}: {decimal(done)} of {of}", soft_wrap=True, highlight=False, markup=False)

        yield show


class Partial:
    """An unfinished download: `<name>.partial` beside the target. One process holds it at a time.

    `resumed`: whether the current transfer continues kept bytes. They may be of another mirror, or of a file that has
    changed since: the digest decides.
    """

    def __init__(self, target: Path) -> None:
        self.path = target.with_name(f"{target.name}.partial")
        self.file: IO[bytes]
        self.resumed = False

    @classmethod
    @contextmanager
    def locked(cls, target: Path) -> Iterator[Self]:
        """Wait for any other process, then yield the partial file of `target`; remove it at the end if empty."""
        partial = cls(target)
        wait = functools.partial(logger.warning, "another process is fetching %s: waiting for it", partial.path)
        while True:
            with open(partial.path, "ab") as file:
                # on a file system without locks the worst case is a second download: the digest decides
                take(file.fileno(), wait, without=True)
                if not in_place(file.fileno(), partial.path):
                    continue  # its previous owner renamed or removed it
                partial.file = file
                try:
                    yield partial
                finally:
                    if in_place(file.fileno(), partial.path) and not partial.size:
                        partial.path.unlink()
                return

    @property
    def size(self) -> int:
        """Number of bytes so far."""
        return os.fstat(self.file.fileno()).st_size

    def write(self, chunk: bytes) -> None:
        """Append `chunk`; flushed, so it survives this process."""
        self.file.write(chunk)
        self.file.flush()

    def clear(self) -> None:
        """Start again from zero bytes."""
        self.file.truncate(0)
        self.resumed = False

    def become(self, target: Path) -> None:
        """Give the complete file its final name."""
        os.fsync(self.file.fileno())
        os.replace(self.path, target)


def discard_partial(target: str | Path) -> None:
    """Remove the partial file of `target`, which came from elsewhere, unless a process holds it."""
    partial = Partial(Path(target))
    with suppress(FileNotFoundError), open(partial.path, "rb+") as file:
        if take(file.fileno(), without=True):
            partial.path.unlink()


class _RefusedError(Exception):
    """The source does not have the file."""


class _TransientError(Exception):
    """The attempt failed, the next one may succeed; `wait` is the number of seconds the server asked for."""

    def __init__(self, reason: str, wait: str | None = None) -> None:
        self.wait = float(wait) if wait and wait.isdecimal() else 0.0
        super().__init__(reason)


@dataclass(frozen=True)
class _Transfer:
    """Fills one partial file, from one address after another."""

    session: requests.Session
    partial: Partial
    name: str
    progress: Progress | None

    def fetch(
        self, url: str, path: Path, digests: Collection[Digest], gunzip: bool, size: int | None, once_more: bool = True
    ) -> Digest:
        """Download the file to `path` from `url` alone; its sha256."""
        partial = self.partial
        self._download(url)
        try:
            if gunzip:
                with gzip.open(partial.path) as stream:
                    found = install(stream, path, digests, size)
                partial.path.unlink()
            else:
                with open(partial.path, "rb") as file:
                    found = check(file, digests, size)
                partial.become(path)
            return found
        except WrongFileError:
            resumed = partial.resumed
            partial.clear()
            if not (resumed and once_more):
                raise
            # the bytes kept from before may be to blame
            return self.fetch(url, path, digests, gunzip, size, once_more=False)

    def _download(self, url: str) -> None:
        """Complete the partial file. Raises _RefusedError, or _TransientError after the last attempt."""
        backoff = tenacity.wait_exponential(multiplier=PATIENCE.wait, max=PATIENCE.longest)

        def wait(state: tenacity.RetryCallState) -> float:
            error = state.outcome.exception() if state.outcome else None
            asked = error.wait if isinstance(error, _TransientError) else 0.0
            return min(max(asked, backoff(state)), PATIENCE.longest)

        retry = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(_TransientError),
            stop=tenacity.stop_after_attempt(PATIENCE.attempts),
            wait=wait,
            reraise=True,
        )
        self.session.trust_env = urlsplit(url).hostname not in LOOPBACK
        try:
            retry(self._attempt, url)
        except _TransientError as error:
            raise _TransientError(f"{error} (the last of {PATIENCE.attempts} attempts)") from error

    def _attempt(self, url: str) -> None:
        partial, done = self.partial, self.partial.size
        with self._request(url, done) as response:
            status = f"HTTP {response.status_code} {response.reason}".strip()
            if response.status_code in TRANSIENT_STATUS:
                raise _TransientError(status, response.headers.get("Retry-After"))
            start, total = _extent(response)
            if done and response.status_code in (206, 416):
                partial.resumed = True
                if response.status_code == 416:
                    return  # no byte is left: an earlier call ended before the digest was verified
                if start != done:
                    partial.clear()
                    response.close()
                    self._attempt(url)
                    return
            elif response.status_code == 200:  # to a request for the rest too, if the server has no ranges
                partial.clear()
            else:
                raise _RefusedError(status)
            self._receive(response, total)

    def _request(self, url: str, done: int) -> requests.Response:
        headers = {"Range": f"bytes={done}-"} if done else {}
        try:
            return self.session.get(url, headers=headers, stream=True, timeout=(PATIENCE.connect, PATIENCE.read))
        except requests.ConnectTimeout as error:
            raise _TransientError(f"no connection within {PATIENCE.connect:g} s") from error
        except requests.Timeout as error:
            raise _TransientError(f"no answer within {PATIENCE.read:g} s") from error
        except requests.ConnectionError as error:
            cause = error.args[0] if error.args else error
            if isinstance(cause, urllib3.exceptions.ProtocolError):
                raise _TransientError(f"the connection was cut ({cause.args[0]})") from error
            # the innermost reason without the description of the connection in front of it
            reason = str(getattr(cause, "reason", cause))
            raise _RefusedError(f"no connection ({reason.partition('): ')[2] or reason})") from error
        except requests.RequestException as error:
            raise _RefusedError(str(error)) from error

    def _receive(self, response: requests.Response, total: int | None) -> None:
        trouble = "the connection was cut"
        try:
            # not iter_content: it would unpack a .gz that the server labels as an encoding
            for chunk in response.raw.stream(CHUNK, decode_content=False):
                self.partial.write(chunk)
                if self.progress is not None:
                    self.progress(self.name, self.partial.size, total)
            if total is None or self.partial.size == total:
                return
        except urllib3.exceptions.ReadTimeoutError:
            trouble = f"no data for {PATIENCE.read:g} s"
        except urllib3.exceptions.HTTPError as error:
            trouble += f" ({error})"
        of = f"{total:,}" if total is not None else "an unknown number of"
        raise _TransientError(f"{trouble} after {self.partial.size:,} of {of} bytes")


def _extent(response: requests.Response) -> tuple[int, int | None]:
    """Index of the first byte of the answer (-1: none), and the size of the whole file if known."""
    if response.status_code in (206, 416):
        match = re.fullmatch(r"bytes (?:(\d+)-\d+|\*)/(\d+|\*)", response.headers.get("Content-Range", ""))
        start, total = match.groups() if match else (None, "*")
        return int(start) if start else -1, int(total) if total.isdecimal() else None
    length = response.headers.get("Content-Length", "")
    return 0, int(length) if length.isdecimal() else None
