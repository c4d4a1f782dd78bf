import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from fernn.data.kth.fetching import fetch_kth
from fernn.data.kth.release import FILES, Release
from fernn.data.kth.synthetic import make_standins

from ..server import Server

FRAMES = 112  # of each video: sequences of about 28


@pytest.fixture(scope="session")
def made(tmp_path_factory) -> tuple[Path, Release]:
    """A folder with a small set of stand-ins that has both oddities of the originals, and its release."""
    folder = tmp_path_factory.mktemp("made")
    return folder, make_standins(folder, persons=[1, 13], scenarios=[3, 4], frames=FRAMES)


@pytest.fixture
def release(made) -> Release:
    return made[1]


@pytest.fixture
def contents(made) -> dict[str, bytes]:
    return {file: (made[0] / file).read_bytes() for file in FILES}


@pytest.fixture
def mirror(server, contents) -> Server:
    """A server that has the files, under kth/."""
    server.files.update({f"kth/{file}": content for file, content in contents.items()})
    return server


@pytest.fixture
def folder(tmp_path, made, contents) -> Iterator[Path]:
    """Where to fetch to; whatever happens there, no file may be partial, and no record may list a partial file."""
    folder = tmp_path / "data" / "kth"
    yield folder
    names = {path.name for path in folder.iterdir()} if folder.exists() else set()
    partial = {name for name in names if name.removesuffix(".json").endswith(".partial")}
    assert names - partial <= {*FILES, "fetched.json"}
    if "fetched.json" in names:
        assert names == {*FILES, "fetched.json"}
    for name in names & set(FILES):
        assert (folder / name).read_bytes() == contents[name]


@pytest.fixture(scope="session")
def fetched(made, tmp_path_factory) -> Path:
    """A folder with the whole set, as it was fetched; not to be changed."""
    folder = tmp_path_factory.mktemp("fetched")
    fetch_kth(folder, from_folder=made[0], release=made[1])
    return folder


@pytest.fixture
def broken(fetched, tmp_path) -> Path:
    """A copy of it, to be changed."""
    return Path(shutil.copytree(fetched, tmp_path / "kth"))
