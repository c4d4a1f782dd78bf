"""The seven files of KTH: fetched, or taken from a folder, checked as a whole, and put on record."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from fernn.data.digests import Digest, WrongFileError, install, verify
from fernn.data.download import ALREADY_THERE, DownloadError, Failure, Fetched, Patience, Progress, fetch
from fernn.data.kth.archives import RECORD, check_archive, members, read_record
from fernn.data.kth.release import ANNOTATIONS, ARCHIVES, FILES, OFFICIAL, Release, read_annotations
from fernn.data.partial import discard_partial
from fernn.errors import FernnError
from fernn.files import remove_leftovers, write_json

BY_USER = "by the user"
KNOWN = "known"


class UnknownDigestError(FernnError):
    """Files that came whole but are not those that are known; `found` is the sha256 of each, by name."""

    def __init__(self, folder: Path, release: Release, failures: Mapping[str, Sequence[Failure]]) -> None:
        self.found = {file: [each.found for each in tried if each.found][-1] for file, tried in failures.items()}
        told = "".join(f"\n  {file} from {each.source}: {each.reason}" for file in failures for each in failures[file])
        words = " ".join(f"--accept {file}={digest}" for file, digest in self.found.items())
        super().__init__(
            f"{release.name}, into {folder}: files with unknown digests: {len(failures)}{told}\n"
            "They may be damaged, something else altogether, or published anew. If you trust them, say so (the record "
            f"will tell):\n  fernn fetch kth --scale SCALE {words}"
        )


def fetch_kth(
    folder: str | Path,
    bases: Sequence[str] = (),
    from_folder: str | Path | None = None,
    accept: Mapping[str, Digest] | None = None,
    release: Release = OFFICIAL,
    progress: Progress | None = None,
    patience: Patience | None = None,
) -> dict[str, Any]:
    """Bring the annotations and the six archives into `folder`, check them, and write their record beside them.

    Args:
        folder: where to; files that are there already are checked and left alone.
        bases: addresses of folders, tried in order for each file; none, where all files are there or come from a
            folder. Downloads that were cut off are resumed.
        from_folder: a folder to copy the files from, in place of any address.
        accept: digests, by file name, that the user vouches for; they count beside the known ones, also in later calls
            (they are kept in the record).
        release: what is expected.
        progress: told of the bytes of each file.
        patience: with the servers.

    Returns:
        The record, also in `fetched.json`, which is written last and therefore stands for a whole and checked set: the
        release's name, whether it is a stand-in, and for each file its sha256, its source, and by which digest, known
        or of the user, it was accepted.

    Raises:
        UnknownDigestError: if files came whole that match no accepted digest; it says how to accept them.
        DownloadError: if a file came from no source.
        FernnError: if an archive has the wrong members or is broken, if annotations are malformed or are not about the
            release's videos, or if `folder` cannot be written.
    """
    folder = Path(folder)
    earlier: dict[str, dict[str, str]] = {}
    with suppress(FernnError):  # it never came to its end here
        earlier = read_record(folder)["files"]
    vouched = {file: Digest.parse(told["digest"]) for file, told in earlier.items() if told["accepted"] == BY_USER}
    accepted = {**vouched, **(accept or {})}
    if strangers := sorted(set(accepted) - set(FILES)):
        raise FernnError(f"cannot accept {', '.join(strangers)}: the files are {', '.join(FILES)}")
    came: dict[str, Fetched] = {}
    unknown: dict[str, Sequence[Failure]] = {}
    for file in FILES:
        digests = [*release.digests[file], *([accepted[file]] if file in accepted else [])]
        try:
            if (folder / file).exists():
                came[file] = Fetched(ALREADY_THERE, verify(folder / file, digests))
                discard_partial(folder / file)
            elif from_folder is not None:
                came[file] = _copy(Path(from_folder) / file, folder / file, digests)
            elif not bases:
                raise FernnError(f"{release.name}: {file} needs at least one base address, or a folder that holds it")
            else:
                urls = [f"{base.rstrip('/')}/{file}" for base in bases]
                came[file] = fetch(urls, folder / file, digests, progress=progress, patience=patience)
        except WrongFileError as error:
            where = folder / file if (folder / file).exists() else Path(from_folder or folder) / file
            unknown[file] = [Failure(str(where), str(error), error.found)]
        except DownloadError as error:
            # go on with the other files only if this one did come: all unknown digests are then told at once
            if not any(failure.found for failure in error.failures):
                raise
            unknown[file] = error.failures
        except OSError as error:
            raise FernnError(f"cannot bring {file} to {folder}: {error}. Make room, or choose other folders") from error
    if unknown:
        raise UnknownDigestError(folder, release, unknown)
    _check(folder, release, progress)
    record = {
        "release": release.name,
        "stand_in": release.stand_in,
        "files": {
            file: _entry(folder / file, fetched, release.digests[file], accepted.get(file), earlier.get(file, {}))
            for file, fetched in came.items()
        },
    }
    remove_leftovers(folder / RECORD)
    write_json(folder / RECORD, record)
    return record


def parse_accept(words: Iterable[str]) -> dict[str, Digest]:
    """Digests by file name from words such as `boxing.zip=sha256:0943...`. FernnError if one is malformed."""
    accepted = {}
    for word in words:
        file, _, digest = word.partition("=")
        try:
            accepted[file] = Digest.parse(digest)
        except ValueError as error:
            raise FernnError(f"cannot accept {word!r}: expected such as boxing.zip=sha256:0943... ({error})") from None
    return accepted


def _check(folder: Path, release: Release, progress: Progress | None) -> None:
    annotations = read_annotations(folder / ANNOTATIONS)
    for what, found, expected in (
        ("videos", set(annotations.videos), release.videos),
        ("missing videos", set(annotations.missing), release.missing),
    ):
        if strange := sorted(video.name for video in found ^ expected):
            raise FernnError(
                f"{folder / ANNOTATIONS} names {len(found)} {what}, expected {len(expected)}; the difference: "
                f"{', '.join(strange[:5])}{' ...' if len(strange) > 5 else ''}. Delete it and fetch it again"
            )
    for action, file in ARCHIVES.items():
        check_archive(folder / file, members(annotations, action), progress)


def _copy(source: Path, path: Path, digests: Sequence[Digest]) -> Fetched:
    try:
        with open(source, "rb") as stream:
            fetched = Fetched(str(source.parent), install(stream, path, digests))
    except FileNotFoundError:
        raise FernnError(f"{source}: no such file. The folder must hold {', '.join(FILES)}") from None
    discard_partial(path)  # of a download that was begun before
    return fetched


def _entry(
    path: Path, fetched: Fetched, known: Sequence[Digest], accepted: Digest | None, earlier: Mapping[str, str]
) -> dict[str, str]:
    """What the record says of one file."""
    known_before = fetched.source == ALREADY_THERE and earlier.get("sha256") == fetched.sha256.value
    source = earlier["source"] if known_before else fetched.source
    for digest, how in [*((each, KNOWN) for each in known), *([(accepted, BY_USER)] if accepted else [])]:
        with open(path, "rb") as file:
            if hashlib.file_digest(file, digest.algorithm).hexdigest() == digest.value:
                return {"sha256": fetched.sha256.value, "source": source, "accepted": how, "digest": str(digest)}
    raise FernnError(f"{path} was changed while it was fetched. Run this again")
