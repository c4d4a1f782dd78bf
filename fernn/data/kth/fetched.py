"""What was fetched of KTH: the record that `fetch_kth` leaves beside the files."""

import hashlib
import json
from pathlib import Path
from typing import Any

from fernn.data.kth.annotations import Annotations
from fernn.data.kth.release import FILES, Video
from fernn.errors import FernnError
from fernn.files import sha256

RECORD = "fetched.json"
ENTRY = {"sha256", "source", "accepted", "digest"}


def read_record(folder: str | Path) -> dict[str, Any]:
    """The record that `fetch_kth` left in `folder`. FernnError if it never came to its end there."""
    try:
        record: dict[str, Any] = json.loads((Path(folder) / RECORD).read_text(encoding="utf-8"))
        if set(record["files"]) != set(FILES) or any(set(told) != ENTRY for told in record["files"].values()):
            raise ValueError("it does not tell of all files")
        return record
    except FileNotFoundError:
        raise FernnError(
            f"{folder} holds no {RECORD}: the files are not all there. Run: fernn fetch kth --scale SCALE"
        ) from None
    except (ValueError, KeyError, TypeError) as error:
        raise FernnError(f"{Path(folder) / RECORD} is broken ({error}). Run: fernn fetch kth --scale SCALE") from None


def contents(path: str | Path) -> str:
    """A digest (sha256) of what a record says was fetched, from wherever: the same files give the same one."""
    try:
        record = json.loads(Path(path).read_text(encoding="utf-8"))
        told = {file: entry["sha256"] for file, entry in record["files"].items()}
        plain = json.dumps([record["release"], record["stand_in"], told], sort_keys=True)
        return hashlib.sha256(plain.encode()).hexdigest()
    except (ValueError, KeyError, TypeError, AttributeError):
        return sha256(path)  # broken, and so no other's


def members(annotations: Annotations, action: str) -> dict[str, Video]:
    """The members that the archive of an action must have."""
    return {video.file: video for video in annotations.videos if video.action == action}
