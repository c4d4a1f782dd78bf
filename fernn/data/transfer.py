"""HTTP requests that bring a partial file to its full length: retries, resumption by range, files that changed."""

import re
from collections.abc import Callable
from dataclasses import dataclass

import requests
import tenacity
import urllib3

from fernn import __version__
from fernn.data.digests import CHUNK
from fernn.data.partial import Origin, Partial

TRANSIENT_STATUS = {408, 425, 429, 500, 502, 503, 504}  # worth another try, as no other error status is


# what is told of a download: the file's name, the bytes that are there, and their total if it is known
Progress = Callable[[str, int, int | None], None]


@dataclass(frozen=True)
class Patience:
    """How long to bear with a server: attempts per source; waits and timeouts in seconds."""

    attempts: int = 5
    wait: float = 1.0  # before the second attempt; doubles with each further one
    longest: float = 30.0  # no wait is longer, whatever the server asks for
    connect: float = 10.0
    read: float = 30.0  # between two pieces of data


class RefusedError(Exception):
    """This source will not give the file."""


class TransientError(Exception):
    """This attempt failed, the next one may not; `wait` is the number of seconds the server asked for."""

    def __init__(self, reason: str, wait: str | None = None) -> None:
        self.wait = float(wait) if wait and wait.isdecimal() else 0.0
        super().__init__(reason)


@dataclass(frozen=True)
class Transfer:
    """Fills one partial file, from one address after the other."""

    session: requests.Session
    partial: Partial
    progress: Progress | None
    patience: Patience

    def __post_init__(self) -> None:
        # identity: the bytes as they are stored; a resumed file must not be compressed for the way
        self.session.headers.update({"User-Agent": f"fernn/{__version__}", "Accept-Encoding": "identity"})

    def run(self, url: str, name: str) -> None:
        """Try until the partial file is whole. Raises RefusedError, or TransientError when patience is at its end."""
        backoff = tenacity.wait_exponential(multiplier=self.patience.wait, max=self.patience.longest)

        def wait(state: tenacity.RetryCallState) -> float:
            error = state.outcome.exception() if state.outcome else None
            asked = error.wait if isinstance(error, TransientError) else 0.0
            return min(max(asked, backoff(state)), self.patience.longest)

        attempts = self.patience.attempts
        retry = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(TransientError),
            stop=tenacity.stop_after_attempt(attempts),
            wait=wait,
            reraise=True,
        )
        try:
            retry(self._attempt, url, name)
        except TransientError as error:
            raise TransientError(f"{error} (the last of {attempts} attempts)") from error

    def _attempt(self, url: str, name: str) -> None:
        partial, done = self.partial, self.partial.size
        with self._request(url, done) as response:
            if response.status_code in TRANSIENT_STATUS:
                raise TransientError(_status(response), response.headers.get("Retry-After"))
            start, total = _extent(response)
            origin = Origin(url, _validator(response), total)
            if done and response.status_code in (206, 416):
                partial.resumed = True
                if response.status_code == 416:
                    return None  # no byte is left: an earlier call ended before the check, which will tell
                if start != done or not _same(partial.origin, origin):
                    partial.clear()
                    response.close()
                    return self._attempt(url, name)
            elif response.status_code == 200:  # the server has no ranges, or the file changed (If-Range)
                partial.clear()
            else:
                raise RefusedError(_status(response))
            partial.origin = origin
            self._receive(response, name, total)
        return None

    def _request(self, url: str, done: int) -> requests.Response:
        headers = {}
        if done:
            headers["Range"] = f"bytes={done}-"
            origin = self.partial.origin
            if origin and origin.url == url and origin.validator:
                headers["If-Range"] = origin.validator
        try:
            return self.session.get(
                url, headers=headers, stream=True, timeout=(self.patience.connect, self.patience.read)
            )
        except requests.ConnectTimeout as error:
            raise TransientError(f"no connection within {self.patience.connect:g} s") from error
        except requests.Timeout as error:
            raise TransientError(f"no answer within {self.patience.read:g} s") from error
        except requests.ConnectionError as error:
            cause = error.args[0] if error.args else error
            if isinstance(cause, urllib3.exceptions.ProtocolError):
                raise TransientError(f"the connection was cut ({cause.args[0]})") from error
            # the innermost reason without the description of the connection in front of it
            reason = str(getattr(cause, "reason", cause))
            raise RefusedError(f"no connection ({reason.partition('): ')[2] or reason})") from error
        except requests.RequestException as error:
            raise RefusedError(str(error)) from error

    def _receive(self, response: requests.Response, name: str, total: int | None) -> None:
        trouble = "the connection was cut"
        try:
            # not iter_content: it would unpack a .gz that the server labels as an encoding
            for chunk in response.raw.stream(CHUNK, decode_content=False):
                self.partial.write(chunk)
                if self.progress is not None:
                    self.progress(name, self.partial.size, total)
            if total is None or self.partial.size == total:
                return
        except urllib3.exceptions.ReadTimeoutError:
            trouble = f"no data for {self.patience.read:g} s"
        except urllib3.exceptions.HTTPError as error:
            trouble += f" ({error})"
        of = f"{total:,}" if total is not None else "an unknown number of"
        raise TransientError(f"{trouble} after {self.partial.size:,} of {of} bytes")


def _status(response: requests.Response) -> str:
    return f"HTTP {response.status_code} {response.reason}".strip()


def _extent(response: requests.Response) -> tuple[int, int | None]:
    """The first byte that the answer brings (-1: none) and the size of the whole file, if it is known."""
    if response.status_code in (206, 416):
        match = re.fullmatch(r"bytes (?:(\d+)-\d+|\*)/(\d+|\*)", response.headers.get("Content-Range", ""))
        if not match:
            return -1, None
        start, total = match.groups()
        return int(start) if start else -1, int(total) if total.isdecimal() else None
    length = response.headers.get("Content-Length", "")
    return 0, int(length) if length.isdecimal() else None


def _validator(response: requests.Response) -> str | None:
    tag = response.headers.get("ETag")
    return tag if tag and not tag.startswith("W/") else response.headers.get("Last-Modified")


def _same(kept: Origin | None, offered: Origin) -> bool:
    """Whether bytes of `kept` may be continued with those of `offered`; between mirrors only the size can tell."""
    if kept is None or kept.total != offered.total:
        return False
    return kept.url != offered.url or kept.validator == offered.validator
