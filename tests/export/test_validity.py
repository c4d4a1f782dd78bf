"""The archive is what it says: by the community's validator, for results up to date and for those exported by force."""

import json
import socket
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest

from fernn.pipeline.export.archive import METADATA
from tests.export.conftest import Made
from tests.export.validator import validate

PROFILES = {
    "ro-crate-1.1",
    "workflow-ro-crate-1.0",
    "process-run-crate-0.5",
    "workflow-run-crate-0.5",
    "provenance-run-crate-0.5",
}


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise AssertionError("the validator asks the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def test_all_that_is_required_holds(made: Made, tmp_path: Path) -> None:
    found = validate(made.export(), tmp_path)
    assert found["issues"] == []
    assert found["skipped"] == []
    assert set(found["profiles"]) == PROFILES
    assert found["checks"] > 80


def test_it_holds_for_results_exported_by_force(made: Made, tmp_path: Path) -> None:
    made.jobs.layout.table("selection.csv").write_text("something else")
    made.jobs.find("figures").writes[0].unlink()
    assert validate(made.export(force=True), tmp_path)["issues"] == []


def test_the_validator_notices_an_action_without_its_tool(made: Made, tmp_path: Path) -> None:
    with ZipFile(made.export()) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    content = json.loads(files[METADATA])
    (action,) = [entity for entity in content["@graph"] if entity["@id"] == "#tables"]
    del action["instrument"]
    files[METADATA] = json.dumps(content).encode()
    with ZipFile(tmp_path / "spoiled.zip", "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    assert validate(tmp_path / "spoiled.zip", tmp_path)["issues"]
