"""One record beside each result: how it was made, of what, by which code, on which machine."""

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from fernn.errors import FernnError
from fernn.files import sha256, write_json
from fernn.provenance.digests import identity, now
from fernn.provenance.environment import environment

NAME = "record.json"


class Record(BaseModel):
    """How a result was made.

    Attributes:
        stage: the command of `fernn` that makes it: dataset, train, evaluate, tables or figures.
        name: of the run or the part; empty for tables and figures.
        scale: of the params.
        inputs: the params that it depends on, its seed among them, and the digest of its code.
        files: digests (sha256) of the files that were read.
        outputs: digests of the files that were written.
        started: in UTC.
        ended: in UTC.
        environment: see `fernn.provenance.environment.environment`.
        details: what only this stage has to tell.
    """

    model_config = ConfigDict(extra="forbid")

    stage: str
    name: str
    scale: str
    inputs: dict[str, Any]
    files: dict[str, str]
    outputs: dict[str, str]
    started: str
    ended: str
    environment: dict[str, Any]
    details: dict[str, Any]


class Maker:
    """Takes down what a stage starts from; `done` writes the record, to `path`, when its outputs are there."""

    def __init__(
        self, path: Path, stage: str, name: str, scale: str, inputs: dict[str, Any], files: Iterable[Path]
    ) -> None:
        self.path, self.stage, self.name, self.scale = path, stage, name, scale
        self.inputs, self.files = inputs, digests(files)
        self.started = now()

    @property
    def identity(self) -> str:
        """A digest of all that the result depends on."""
        return identity({"run": self.name, "inputs": self.inputs, "files": self.files})

    def is_done(self) -> bool:
        """Whether the result is there, whole, of the same params, code and files; says so.

        Then nobody makes it again: neither one who waited while another made it, nor a command by hand, whose record
        of another time Snakemake would take for damage. Snakemake itself removes what it wants made again.
        """
        try:
            record = read_record(self.path)
            same = (record.stage, record.name, record.scale) == (self.stage, self.name, self.scale)
            same &= record.inputs == json.loads(json.dumps(self.inputs)) and record.files == self.files
            if not same or record.outputs != digests(map(Path, record.outputs)):
                return False
        except (FernnError, FileNotFoundError):
            return False
        print(
            f"{self.stage} {self.name}".rstrip() + ": there already, of the same params, code and files, says "
            f"{self.path}. Remove the result to make it again.",
            file=sys.stderr,
        )
        return True

    def done(self, outputs: Iterable[Path], device: str | None = None, **details: Any) -> None:
        """Write the record; `device` is "cpu" or "cuda", where torch computed."""
        record = Record(
            stage=self.stage,
            name=self.name,
            scale=self.scale,
            inputs=self.inputs,
            files=self.files,
            outputs=digests(outputs),
            started=self.started,
            ended=now(),
            environment=environment(device),
            details=details,
        )
        write_json(self.path, record.model_dump())


def read_record(path: Path) -> Record:
    """Read a record.

    Raises:
        FernnError: if the file is missing or is none of this version.
    """
    try:
        return Record.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise FernnError(f"{path}: no such record.") from None
    except (ValueError, ValidationError) as error:
        raise FernnError(
            f"{path} is no record of this version ({str(error).splitlines()[0]}). Make its result again: remove the "
            "file, and run snakemake."
        ) from None


def digests(files: Iterable[Path]) -> dict[str, str]:
    """The sha256 of files, by path."""
    return {path.as_posix(): sha256(path) for path in files}
