"""Files with known digests: verified in place, and installed only if a digest matches."""

import gzip
import hashlib
import re
import shlex
import zlib
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from fernn.errors import FernnError
from fernn.files import atomic

CHUNK = 1 << 16
Readable = IO[bytes] | gzip.GzipFile


@dataclass(frozen=True)
class Digest:
    """A digest, such as `Digest("sha256", "ba89...")`, in text `sha256:ba89...`. ValueError if malformed."""

    algorithm: str
    value: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "value", self.value.lower())
        digits = 2 * hashlib.new(self.algorithm).digest_size
        if not digits or not re.fullmatch(f"[0-9a-f]{{{digits}}}", self.value):
            raise ValueError(f"{self.value!r} is no {self.algorithm} digest: expected {digits} hexadecimal digits")

    @classmethod
    def parse(cls, text: str) -> "Digest":
        """Read `algorithm:hexadecimal`. ValueError if malformed or if the algorithm is unknown."""
        algorithm, _, value = text.strip().partition(":")
        return cls(algorithm, value)

    def __str__(self) -> str:
        return f"{self.algorithm}:{self.value}"


class WrongFileError(FernnError):
    """Bytes that match no expected digest; `found` is their sha256 if they could be read to the end."""

    def __init__(self, message: str, found: Digest | None = None) -> None:
        self.found = found
        super().__init__(message)


def verify(path: str | Path, digests: Collection[Digest], size: int | None = None) -> Digest:
    """The sha256 of the file at `path`; WrongFileError, with the command to delete it, if none of `digests` matches.

    A known `size` in bytes gives an earlier and clearer error.
    """
    try:
        with open(path, "rb") as stream:
            return check(stream, digests, size)
    except WrongFileError as error:
        message = f"{path} is not the expected file: {error}. To have it fetched again: rm {shlex.quote(str(path))}"
        raise WrongFileError(message, error.found) from None


def install(stream: Readable, path: str | Path, digests: Collection[Digest], size: int | None = None) -> Digest:
    """Copy `stream` to `path` atomically; its sha256.

    WrongFileError if none of `digests` matches, or if `stream` unpacks a corrupt gzip file.
    """
    with atomic(path) as temporary, open(temporary, "wb") as copy:
        return check(stream, digests, size, copy)


def check(
    stream: Readable, digests: Collection[Digest], size: int | None = None, copy: IO[bytes] | None = None
) -> Digest:
    """Read `stream` to its end, and write it to `copy` if given; its sha256. WrongFileError as in `install`."""
    hashes = {name: hashlib.new(name) for name in {"sha256", *(digest.algorithm for digest in digests)}}
    length = 0
    try:
        while chunk := stream.read(CHUNK):
            length += len(chunk)
            if size is not None and length > size:
                raise WrongFileError(f"it has more than the expected {size:,} bytes")
            for state in hashes.values():
                state.update(chunk)
            if copy is not None:
                copy.write(chunk)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise WrongFileError(f"it is not a whole gzip file ({error})") from error
    sha256 = Digest("sha256", hashes["sha256"].hexdigest())
    if not any(hashes[digest.algorithm].hexdigest() == digest.value for digest in digests):
        found = " ".join(f"{name}:{state.hexdigest()}" for name, state in sorted(hashes.items()))
        expected = " or ".join(map(str, digests)) + (f" ({size:,} bytes)" if size is not None else "")
        raise WrongFileError(f"found {found} ({length:,} bytes), expected {expected}", sha256)
    return sha256
