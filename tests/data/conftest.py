from collections.abc import Iterator

import pytest

from fernn.data.download import Patience

from .archive import CONTENT, NAME
from .server import Server


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        yield server


@pytest.fixture
def patience() -> Patience:
    """Waits that a test can bear."""
    return Patience(attempts=4, wait=0.001, longest=0.01, connect=5.0, read=1.0)


@pytest.fixture
def target(server, tmp_path):
    """The path to fetch to; whatever happens, only that file or a partial one may be in the folder."""
    server.files[NAME] = CONTENT
    path = tmp_path / "kth" / NAME
    yield path
    assert not path.exists() or path.read_bytes() == CONTENT
    names = {file.name for file in path.parent.iterdir()}
    assert names <= {NAME} or names == {f"{NAME}.partial", f"{NAME}.partial.json"}
