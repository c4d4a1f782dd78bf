from collections.abc import Iterator

import pytest

from fernn.data import download
from fernn.data.download import Patience

from .server import CONTENT, NAME, Server


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        yield server


@pytest.fixture(autouse=True)
def patience(monkeypatch) -> None:
    """Waits that a test can bear."""
    monkeypatch.setattr(download, "PATIENCE", Patience(attempts=4, wait=0.001, longest=0.01, connect=5.0, read=1.0))


@pytest.fixture
def target(server, tmp_path):
    """The path to fetch to; whatever happens, only that file or a partial one may be in the folder."""
    server.files[NAME] = CONTENT
    path = tmp_path / "kth" / NAME
    yield path
    assert not path.exists() or path.read_bytes() == CONTENT
    names = {file.name for file in path.parent.iterdir()}
    assert names in (set(), {NAME}, {f"{NAME}.partial"})
