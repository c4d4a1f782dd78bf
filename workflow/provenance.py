"""What Snakemake knows of its outputs travels with them, so that a fresh clone knows that it is up to date.

Snakemake keeps a record of every output (its inputs, parameters and code) in .snakemake, which no clone has, and goes
by modification times, which no download keeps. So each folder of results carries the records of its files, with a
digest of each, in a zip that DVC keeps as it keeps the files. At the start of a workflow the records of a folder that
came from elsewhere are taken over; a file that has the bytes of its record gets the time of its making; and a file that
has others ends the workflow, before anything is made of it.
"""

import json
import os
import shutil
import zipfile
import zlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from fernn.dependencies import ZIP
from fernn.errors import FernnError
from fernn.files import atomic, sha256, write_json

STATE = Path(".snakemake")
LONGEST = 254  # Snakemake splits longer names of records


@dataclass(frozen=True)
class Known:
    """What is known of a file: Snakemake's record, as it stands, and the digest of the bytes that the record is of."""

    record: str
    sha256: str

    @property
    def made(self) -> float:
        """When its job wrote it, in seconds."""
        return float(json.loads(self.record)["endtime"])


def take_over(folders: Mapping[Path, str]) -> None:
    """Take over what came from elsewhere, and hold every file against what is known of it.

    Args:
        folders: the folders of results, each with the rule that fills it.

    Raises:
        FernnError: naming the files whose bytes are not those that their jobs wrote.
    """
    (STATE / "incomplete").mkdir(
        parents=True, exist_ok=True
    )  # else Snakemake takes the records for those of old versions
    taken = _read_json(STATE / "provenance.json")
    damaged: list[str] = []
    placed: dict[str, float] = {}
    for folder, rule in folders.items():
        if _digest(folder) == taken.get(str(folder)):
            keep({folder: rule})  # of a run that was killed, or from before there were zips
        known, new = _read(folder), _digest(folder) != _read_json(STATE / "provenance.json").get(str(folder))
        for output, of in known.items():
            if new:
                _write_record(output, of.record)
            if not Path(output).exists() or _record_path("incomplete", output).exists():
                continue
            if sha256(output) == of.sha256:
                placed[output] = of.made
            elif _record(output) == of.record:  # else it was made anew, and nothing is known of it yet
                damaged.append(output)
        _stamp(folder)
    _set_times(placed)
    if damaged:
        raise FernnError(
            f"files that are not what their jobs wrote: {len(damaged)}\n  " + "\n  ".join(damaged) + "\n"
            "They were damaged or changed by hand. Remove them: Snakemake makes them again. Or bring back what DVC "
            "keeps: dvc checkout --force; where its cache is damaged too, remove .dvc/cache first, then dvc pull."
        )


def keep(folders: Mapping[Path, str]) -> None:
    """Write what is known of the files in these folders beside them; what is known already is not read again."""
    for folder, rule in folders.items():
        before, known = _read(folder), {}
        for output, record in _records():
            # folders of other scales are not ours; a single file may lie beside its folder
            ours = Path(output).is_relative_to(folder.parent) and json.loads(record).get("rule") == rule
            if ours and Path(output).exists():
                same = output in before and before[output].record == record
                known[output] = before[output] if same else Known(record, sha256(output))
        if known != before:
            _write(folder, known)
        _stamp(folder)


def _set_times(made: Mapping[str, float]) -> None:
    """Give files the times of their making.

    Links into DVC's cache stay links wherever they can: files of equal bytes are one file there, with one time.
    """
    times: dict[tuple[int, int], float] = {}
    for output, time in sorted(made.items(), key=lambda item: item[1]):
        path = Path(output)
        found = path.stat()
        inode = found.st_dev, found.st_ino
        try:
            if inode not in times:
                times[inode] = time
                if abs(found.st_mtime - time) > 1e-6:
                    os.utime(path, (time, time))
            elif not path.is_symlink() and time != times[inode]:
                _own_copy(path, time)
            if path.is_symlink():  # Snakemake looks at the later of the link's time and the file's: here, the link's
                os.utime(path, (time, time), follow_symlinks=False)
        except PermissionError:  # a cache that belongs to somebody else
            _own_copy(path, time)


def _own_copy(path: Path, time: float) -> None:
    with atomic(path) as temporary:
        shutil.copyfile(path, temporary)
    os.utime(path, (time, time))


def _read(folder: Path) -> dict[str, Known]:
    try:
        with zipfile.ZipFile(folder / ZIP) as file:
            return {name: Known(**json.loads(file.read(name))) for name in file.namelist()}
    except FileNotFoundError:
        return {}
    except (zipfile.BadZipFile, zlib.error, ValueError, TypeError, KeyError) as error:
        raise FernnError(
            f"{folder / ZIP} is damaged ({error}): what is known of the files beside it is lost. Bring it back with "
            "dvc checkout --force, or remove the folder: it is made again."
        ) from None


def _write(folder: Path, known: Mapping[str, Known]) -> None:
    """Same content, same bytes: names are sorted and times are left out."""
    with atomic(folder / ZIP) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as file:
        for output in sorted(known):
            of = known[output]
            file.writestr(zipfile.ZipInfo(output), json.dumps(asdict(of)), zipfile.ZIP_DEFLATED)


def _digest(folder: Path) -> str | None:
    return sha256(folder / ZIP) if (folder / ZIP).exists() else None


def _stamp(folder: Path) -> None:
    """Remember that .snakemake knows what this folder's zip holds."""
    stamps = _read_json(STATE / "provenance.json")
    if stamps.get(str(folder)) != _digest(folder):
        write_json(STATE / "provenance.json", {**stamps, str(folder): _digest(folder)})


def _read_json(path: Path) -> dict[str, str | None]:
    return json.loads(path.read_text()) if path.exists() else {}


def _records() -> Iterator[tuple[str, str]]:
    """Every output that Snakemake has a whole record of, and the record.

    It writes them in place: a kill leaves half of one, and Snakemake makes that output again. And another Snakemake may
    be at work here, whose records come and go.
    """
    for path in sorted((STATE / "metadata").rglob("*")):
        parts = path.relative_to(STATE / "metadata").parts
        if path.is_dir() or path.name.startswith("."):
            continue
        try:
            record = path.read_text()
            json.loads(record)["endtime"]
        except (FileNotFoundError, ValueError, TypeError, KeyError):
            continue
        yield urlsafe_b64decode("".join(part.removeprefix("@") for part in parts)).decode(), record


def _record_path(kind: str, output: str) -> Path:
    name = urlsafe_b64encode(output.encode()).decode()
    parts = [name[start : start + LONGEST] for start in range(0, len(name), LONGEST)]
    return STATE.joinpath(kind, *(f"@{part}" for part in parts[:-1]), parts[-1])


def _record(output: str) -> str | None:
    path = _record_path("metadata", output)
    return path.read_text() if path.exists() else None


def _write_record(output: str, record: str) -> None:
    path = _record_path("metadata", output)
    with atomic(path) as temporary:
        temporary.write_text(record)
