"""Downloads that end in the right file, or in one error that lists every source tried.

The bytes on the way are kept as `<name>.partial` beside the target, are resumed by range request, and get the final
name only after their digest was checked. (`pooch` does not resume.)
"""

import gzip
import re
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple
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
from fernn.data.partial import Origin, Partial
from fernn.errors import FernnError

ALREADY_THERE = "already there"
TRANSIENT_STATUS = {408, 425, 429, 500, 502, 503, 504}  # worth another try, as no other error status is
LOOPBACK = {"127.0.0.1", "::1", "localhost"}  # reached without a proxy, whatever http_proxy and ALL_PROXY say

# called with the file's name, its bytes so far, and their total if it is known
Progress = Callable[[str, int, int | None], None]


@dataclass(frozen=True)
class Patience:
    """Attempts per source; waits and timeouts in seconds."""

    attempts: int = 5
    wait: float = 1.0  # before the second attempt; doubles with each further one
    longest: float = 30.0  # no wait is longer, whatever the server asks for
    connect: float = 10.0
    read: float = 30.0  # between two pieces of data


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
    patience: Patience | None = None,
) -> Fetched:
    """Download the file to `path` from the first of `urls` that gives it, unless it is there already.

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
            # identity: the bytes as they are stored; a resumed file must not be compressed for the way
            session.headers.update({"User-Agent": f"fernn/{__version__}", "Accept-Encoding": "identity"})
            transfer = _Transfer(session, partial, path.name, progress, patience or Patience())
            for url in urls:
                try:
                    return Fetched(url, _from(transfer, url, path, digests, gunzip, size))
                except WrongFileError as error:
                    failures.append(Failure(url, str(error), error.found))
                except (_RefusedError, _TransientError) as error:
                    failures.append(Failure(url, str(error)))
            kept = f" (it resumes after {partial.size:,} bytes)" if partial.size else ""
    except OSError as error:
        raise FernnError(f"cannot write {path}: {error}. Make room, or choose a folder you may write to") from error
    accepted = " or ".join(map(str, digests))
    advice = f"Check the network and the proxy settings and run this again{kept}, or put the file there: {accepted}"
    raise DownloadError(str(path), failures, advice)


@contextmanager
def show_progress(console: Console | None = None, interval: float = 10.0) -> Iterator[Progress]:
    """Yields a `Progress` for a `with` block: bars on a terminal; in a log a line per file and `interval` seconds."""
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
                # a log is read by the line: no wrapping, no colours
                console.print(f"{name}: {decimal(done)} of {of}", soft_wrap=True, highlight=False, markup=False)

        yield show


class _RefusedError(Exception):
    """This source will not give the file."""


class _TransientError(Exception):
    """This attempt failed, the next one may not; `wait` is the number of seconds the server asked for."""

    def __init__(self, reason: str, wait: str | None = None) -> None:
        self.wait = float(wait) if wait and wait.isdecimal() else 0.0
        super().__init__(reason)


def _from(
    transfer: "_Transfer", url: str, path: Path, digests: Collection[Digest], gunzip: bool, size: int | None
) -> Digest:
    """Download the file to `path` from `url` alone; its sha256."""
    partial = transfer.partial
    while True:
        transfer.run(url)
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
            if not resumed:
                raise
            # the bytes kept from before may be to blame: once more, from the start


@dataclass(frozen=True)
class _Transfer:
    """Fills one partial file, from one address after the other."""

    session: requests.Session
    partial: Partial
    name: str
    progress: Progress | None
    patience: Patience

    def run(self, url: str) -> None:
        """Try until the partial file is whole. Raises _RefusedError, or _TransientError after the last attempt."""
        backoff = tenacity.wait_exponential(multiplier=self.patience.wait, max=self.patience.longest)

        def wait(state: tenacity.RetryCallState) -> float:
            error = state.outcome.exception() if state.outcome else None
            asked = error.wait if isinstance(error, _TransientError) else 0.0
            return min(max(asked, backoff(state)), self.patience.longest)

        retry = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(_TransientError),
            stop=tenacity.stop_after_attempt(self.patience.attempts),
            wait=wait,
            reraise=True,
        )
        self.session.trust_env = urlsplit(url).hostname not in LOOPBACK
        try:
            retry(self._attempt, url)
        except _TransientError as error:
            raise _TransientError(f"{error} (the last of {self.patience.attempts} attempts)") from error

    def _attempt(self, url: str) -> None:
        partial, done = self.partial, self.partial.size
        with self._request(url, done) as response:
            status = f"HTTP {response.status_code} {response.reason}".strip()
            if response.status_code in TRANSIENT_STATUS:
                raise _TransientError(status, response.headers.get("Retry-After"))
            start, total = _extent(response)
            tag = response.headers.get("ETag")
            strong = tag if tag and not tag.startswith("W/") else response.headers.get("Last-Modified")
            origin = Origin(url, strong, total)
            if done and response.status_code in (206, 416):
                partial.resumed = True
                if response.status_code == 416:
                    return None  # no byte is left: an earlier call ended before the check, which decides
                if start != done or not origin.continues(partial.origin):
                    partial.clear()
                    response.close()
                    return self._attempt(url)
            elif response.status_code == 200:  # the server has no ranges, or the file changed (If-Range)
                partial.clear()
            else:
                raise _RefusedError(status)
            partial.origin = origin
            self._receive(response, total)
        return None

    def _request(self, url: str, done: int) -> requests.Response:
        patience, origin, headers = self.patience, self.partial.origin, {}
        if done:
            headers["Range"] = f"bytes={done}-"
            if origin and origin.url == url and origin.validator:
                headers["If-Range"] = origin.validator
        try:
            return self.session.get(url, headers=headers, stream=True, timeout=(patience.connect, patience.read))
        except requests.ConnectTimeout as error:
            raise _TransientError(f"no connection within {patience.connect:g} s") from error
        except requests.Timeout as error:
            raise _TransientError(f"no answer within {patience.read:g} s") from error
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
            trouble = f"no data for {self.patience.read:g} s"
        except urllib3.exceptions.HTTPError as error:
            trouble += f" ({error})"
        of = f"{total:,}" if total is not None else "an unknown number of"
        raise _TransientError(f"{trouble} after {self.partial.size:,} of {of} bytes")


def _extent(response: requests.Response) -> tuple[int, int | None]:
    """The first byte of the answer (-1: none) and the size of the whole file, if it is known."""
    if response.status_code in (206, 416):
        match = re.fullmatch(r"bytes (?:(\d+)-\d+|\*)/(\d+|\*)", response.headers.get("Content-Range", ""))
        start, total = match.groups() if match else (None, "*")
        return int(start) if start else -1, int(total) if total.isdecimal() else None
    length = response.headers.get("Content-Length", "")
    return 0, int(length) if length.isdecimal() else None
