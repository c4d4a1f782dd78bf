"""One record beside each result: how it was made, of what, by which code, on which machine."""

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from fernn.errors import FernnError
from fernn.files import check_ends, write_json


def identity(values: Any) -> str:
    """A digest of plain values; the order of lists counts, that of keys does not."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]


def now() -> str:
    """The time in UTC, to the second."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Record(BaseModel):
    """How a result was made.

    Attributes:
        stage: the command of `fernn` that makes it: standins, dataset, train, evaluate, tables, figures or report.
        name: of the run or the part; empty for stand-ins, tables, figures and the report.
        scale: of the params.
        inputs: the params that it depends on, its seed among them, and the digest of its code.
        job: digest of the inputs and of which file played which role; empty in records from before 2026-12.
        lineage: digest of that and of the lineages of all that it was made of, back to the sources.
        files: digests (sha256) of the files that were read, by role and path.
        outputs: digests of the files that were written.
        started: in UTC.
        ended: in UTC.
        environment: of the process that wrote it; see `fernn.provenance.environment.environment`.
        others: differing environments of other processes that computed a part: before a training was resumed, or ranks.
        details: values that only this stage records.
    """

    model_config = ConfigDict(extra="forbid")

    stage: str
    name: str
    scale: str
    inputs: dict[str, Any]
    job: str = ""
    lineage: str
    files: dict[str, dict[str, str]]
    outputs: dict[str, str]
    started: str
    ended: str
    environment: dict[str, Any]
    others: list[dict[str, Any]] = []
    details: dict[str, Any]

    @property
    def read_files(self) -> dict[str, str]:
        """The digests of the files that were read, by path."""
        return {path: digest for files in self.files.values() for path, digest in files.items()}

    @property
    def device(self) -> str | None:
        """What torch computed on, "cpu" or "cuda"; None if torch computed nothing."""
        return ("cuda" if "cuda" in self.environment else "cpu") if "determinism" in self.environment else None

    @property
    def workers(self) -> int:
        """The world size of a training, which decides how sums are rounded."""
        return int(self.details.get("workers", 1))


class CorruptRecordError(FernnError):
    """A file is no record of this version, or was changed."""


def write_record(path: Path, record: Record) -> None:
    """Write a record with a checksum of its content."""
    content = record.model_dump()
    write_json(path, {**content, "checksum": identity(content)})


def read_record(path: Path) -> Record | None:
    """Read a record; None if there is none.

    Raises:
        CorruptRecordError: if the file is no record of this version, or was changed since it was written.
    """
    try:
        check_ends(path)
        content = json.loads(path.read_text(encoding="utf-8"))
        if content.pop("checksum", None) != identity(content):
            raise ValueError("its checksum is not that of its content")
        files = content.get("files")
        if files and all(isinstance(digest, str) for digest in files.values()):
            content["files"] = {"": files}  # records from before 2026-12 name no roles
        return Record.model_validate(content)
    except FileNotFoundError:
        return None
    except (ValueError, AttributeError, ValidationError) as error:
        raise CorruptRecordError(
            f"{path} is no record of this version, or corrupt ({str(error).splitlines()[0]}). Rebuild its result: "
            "remove the file, and run snakemake."
        ) from None
