import zipfile
from pathlib import Path

import pytest

from fernn.data.kth.fetching import UnknownDigestError, fetch_kth
from fernn.data.kth.release import FILES
from fernn.errors import FernnError

BOXING = "boxing.zip"
VIDEO = "person01_boxing_d3_uncomp.avi"


def rewrite(path: Path, contents: bytes, change) -> None:
    """Write the archive after a change of its members."""
    (path.parent / "before.zip").write_bytes(contents)
    with zipfile.ZipFile(path.parent / "before.zip") as before:
        members = {info.filename: before.read(info) for info in before.infolist()}
    (path.parent / "before.zip").unlink()
    change(members)
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: m.update({"../../evil.avi": b"x"}), r"unknown members: '\.\./\.\./evil\.avi'"),
        (
            lambda m: m.update({f"../{VIDEO}": m.pop(VIDEO)}),
            rf"unknown members: '\.\./{VIDEO}'; missing members: '{VIDEO}'",
        ),
        (lambda m: m.update({"readme.txt": b"x"}), "unknown members: 'readme.txt'"),
        (lambda m: m.pop(VIDEO), f"missing members: '{VIDEO}'"),
    ],
    ids=["up", "up instead", "unknown", "missing"],
)
def test_members_that_must_not_be(broken, contents, release, change, message):
    rewrite(broken / BOXING, contents[BOXING], change)
    check_refused(broken, release, message)


def test_directories_do_not_count(broken, contents, release):
    rewrite(broken / BOXING, contents[BOXING], lambda members: members.update({"boxing/": b"", "__MACOSX/": b""}))
    (broken / "fetched.json").unlink()
    with pytest.raises(UnknownDigestError) as caught:
        fetch_kth(broken, release=release)
    fetch_kth(broken, accept=caught.value.found, release=release)


def check_refused(folder, release, message):
    """An archive that the user accepted is not believed beyond its digest."""
    (folder / "fetched.json").unlink()
    with pytest.raises(UnknownDigestError) as caught:
        fetch_kth(folder, release=release)
    with pytest.raises(FernnError, match=message):
        fetch_kth(folder, accept=caught.value.found, release=release)
    assert {path.name for path in folder.iterdir()} == set(FILES)
    assert not (folder.parent / "evil.avi").exists()


def test_a_member_that_is_there_twice(broken, release):
    with zipfile.ZipFile(broken / BOXING, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr(VIDEO, b"x")
    check_refused(broken, release, f"duplicate members: '{VIDEO}'")


@pytest.mark.parametrize("stored", [True, False])
def test_a_corrupt_member(broken, contents, release, stored):
    with zipfile.ZipFile(broken / BOXING) as archive:
        members = {info.filename: archive.read(info) for info in archive.infolist()}
    with zipfile.ZipFile(broken / BOXING, "w", zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
        start = archive.getinfo(VIDEO).header_offset + 1000
    damaged = bytearray((broken / BOXING).read_bytes())
    damaged[start : start + 4] = bytes(255 - byte for byte in damaged[start : start + 4])
    (broken / BOXING).write_bytes(damaged)
    check_refused(broken, release, r"boxing\.zip is a broken archive: .*Delete it and fetch it again")


@pytest.mark.parametrize("content", [b"", b"<html>", "cut"], ids=["empty", "html", "cut"])
def test_no_archive_at_all(broken, contents, release, content):
    (broken / BOXING).write_bytes(contents[BOXING][:-100] if content == "cut" else content)
    check_refused(broken, release, r"boxing\.zip is a broken archive")


@pytest.mark.parametrize(
    ("place", "bits", "letter", "message"),
    [
        (9, 8, 0xCE, r"boxing\.zip is a broken archive: 'utf-8' codec can't decode"),  # a name in UTF-8, says the flag
        (8, 1, None, "encrypted members: 'person01_boxing_d3_uncomp.avi'"),
    ],
    ids=["name", "encrypted"],
)
def test_flags_of_the_first_member(broken, release, place, bits, letter, message):
    content = bytearray((broken / BOXING).read_bytes())
    entry = content.index(b"PK\1\2")
    content[entry + place] |= bits
    if letter:
        content[entry + 46] = letter
    (broken / BOXING).write_bytes(content)
    check_refused(broken, release, message)
