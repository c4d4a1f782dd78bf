"""The seven files of KTH: downloaded or copied from a folder, verified as a whole, and recorded."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from fernn.data.digests import Digest, WrongFileError, install, verify
from fernn.data.download import (
    ALREADY_THERE,
    DownloadError,
    Failure,
    Fetched,
    Progress,
    discard_partial,
    fetch,
)
from fernn.data.kth.archives import RECORD, check_archive, members, read_record
from fernn.data.kth.release import ANNOTATIONS, ARCHIVES, FILES, OFFICIAL, Release, originals, read_annotations
from fernn.errors import FernnError
from fernn.files import remove_leftovers, write_json

BY_USER = "by the user"
KNOWN = "known"


class UnknownDigestError(FernnError):
    """Complete files with unknown digests; `found` is the sha256 of each, by name."""

    def __init__(self, folder: Path, release: Release, failures: Mapping[str, Sequence[Failure]]) -> None:
        self.found = {file: [each.found for each in tried if each.found][-1] for file, tried in failures.items()}
        reasons = "".join(f"\n  {file} from {e.source}: {e.reason}" for file in failures for e in failures[file])
        words = " ".join(f"--accept {file}={digest}" for file, digest in self.found.items())
        super().__init__(
            f"{release.name}, into {folder}: files with unknown digests: {len(failures)}{reasons}\n"
            "They may be corrupt, other files, or a new release. If you trust them, accept them (the record will say "
            f"so):\n  fernn fetch kth --scale SCALE {words}"
        )


def fetch_kth(
    folder: str | Path,
    bases: Sequence[str] = (),
    from_folder: str | Path | None = None,
    accept: Mapping[str, Digest] | None = None,
    release: Release = OFFICIAL,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Fetch the annotations and the six archives into `folder`, verify them, and write their record beside them.

    Args:
        folder: files that exist there already are verified and left alone.
        bases: addresses of folders, tried in order for each file. Interrupted downloads are resumed.
        from_folder: a folder to copy the files from, instead of any address.
        accept: digests, by file name, that the user accepts besides the known ones, also in later calls (the record
            keeps them).
        release: what is expected.
        progress: called with the bytes of each file.

    Returns:
        The record, also in `fetched.json`, which is written last, so it marks a complete and verified set: the name of
        the release, whether it is a stand-in, and for each file its sha256, its source, and the digest that it was
        accepted by, known or of the user. Of originals also "originals": how many videos are known, how many of these
        were met, and which have other bytes.

    Raises:
        UnknownDigestError: for complete files that match no accepted digest; it says how to accept them.
        DownloadError: if no source has a file.
        FernnError: if an archive has the wrong members or is broken, if annotations are malformed or not of the
            release's videos, or if `folder` cannot be written.
    """
    folder = Path(folder)
    earlier: dict[str, dict[str, str]] = {}
    with suppress(FernnError):  # no earlier call finished here
        earlier = read_record(folder)["files"]
    kept = {file: Digest.parse(entry["digest"]) for file, entry in earlier.items() if entry["accepted"] == BY_USER}
    accepted = {**kept, **(accept or {})}
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
                came[file] = fetch(urls, folder / file, digests, progress=progress)
        except WrongFileError as error:
            where = folder / file if (folder / file).exists() else Path(from_folder or folder) / file
            unknown[file] = [Failure(str(where), str(error), error.found)]
        except DownloadError as error:
            # go on with the other files only if this one was complete: then one error lists all unknown digests
            if not any(failure.found for failure in error.failures):
                raise
            unknown[file] = error.failures
        except OSError as error:
            raise FernnError(f"cannot write {file} to {folder}: {error}. Make room, or choose other folders") from error
    if unknown:
        raise UnknownDigestError(folder, release, unknown)
    videos = _check(folder, release, progress)
    record = {
        "release": release.name,
        "stand_in": release.stand_in,
        "files": {
            file: _entry(folder / file, fetched, release.digests[file], accepted.get(file), earlier.get(file, {}))
            for file, fetched in came.items()
        },
    }
    if not release.stand_in:
        known = {file: each.sha256 for file, each in originals().items()}
        met = known.items() & videos.items()
        different = sorted(known.keys() & videos.keys() - dict(met).keys())
        record["originals"] = {"known": len(known), "met": len(met), "different": different}
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


def _check(folder: Path, release: Release, progress: Progress | None) -> dict[str, str]:
    """Compare annotations and archives with the release; returns the sha256 of every video, by file name."""
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
    digests: dict[str, str] = {}
    for action, file in ARCHIVES.items():
        digests |= check_archive(folder / file, members(annotations, action), progress)
    return digests


def _copy(source: Path, path: Path, digests: Sequence[Digest]) -> Fetched:
    try:
        with open(source, "rb") as stream:
            fetched = Fetched(str(source.parent), install(stream, path, digests))
    except FileNotFoundError:
        raise FernnError(f"{source}: no such file. The folder must hold {', '.join(FILES)}") from None
    discard_partial(path)  # of an earlier download
    return fetched


def _entry(
    path: Path, fetched: Fetched, known: Sequence[Digest], accepted: Digest | None, earlier: Mapping[str, str]
) -> dict[str, str]:
    """The record of one file."""
    known_before = fetched.source == ALREADY_THERE and earlier.get("sha256") == fetched.sha256.value
    source = earlier["source"] if known_before else fetched.source
    for digest, how in [*((each, KNOWN) for each in known), *([(accepted, BY_USER)] if accepted else [])]:
        with open(path, "rb") as file:
            if hashlib.file_digest(file, digest.algorithm).hexdigest() == digest.value:
                return {"sha256": fetched.sha256.value, "source": source, "accepted": how, "digest": str(digest)}
    raise FernnError(f"{path} was changed while it was fetched. Run this again")
