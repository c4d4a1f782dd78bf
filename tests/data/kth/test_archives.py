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
        (lambda m: m.update({"/etc/evil.avi": b"x"}), "unknown members: '/etc/evil.avi'"),
        (
            lambda m: m.update({f"../{VIDEO}": m.pop(VIDEO)}),
            rf"unknown members: '\.\./{VIDEO}'; missing members: '{VIDEO}'",
        ),
        (lambda m: m.update({"readme.txt": b"x"}), "unknown members: 'readme.txt'"),
        (lambda m: m.pop(VIDEO), f"missing members: '{VIDEO}'"),
        (dict.clear, "missing members: .*'person01_boxing_d3_uncomp.avi'"),
    ],
    ids=["up", "absolute", "up instead", "unknown", "missing", "empty"],
)
def test_members_that_must_not_be(broken, contents, release, change, message):
    rewrite(broken / BOXING, contents[BOXING], change)
    (broken / "fetched.json").unlink()
    check_refused(broken, release, message)


def test_directories_do_not_count(broken, contents, release):
    rewrite(broken / BOXING, contents[BOXING], lambda members: members.update({"boxing/": b"", "__MACOSX/": b""}))
    (broken / "fetched.json").unlink()
    with pytest.raises(UnknownDigestError) as caught:
        fetch_kth(broken, release=release)
    fetch_kth(broken, accept=caught.value.found, release=release)


def check_refused(folder, release, message):
    """An archive that the user accepted is not believed beyond its digest."""
    with pytest.raises(UnknownDigestError) as caught:
        fetch_kth(folder, release=release)
    with pytest.raises(FernnError, match=message):
        fetch_kth(folder, accept=caught.value.found, release=release)
    assert {path.name for path in folder.iterdir()} == set(FILES)
    assert not (folder.parent / "evil.avi").exists()


def test_a_member_that_is_there_twice(broken, release):
    with zipfile.ZipFile(broken / BOXING, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr(VIDEO, b"x")
    (broken / "fetched.json").unlink()
    check_refused(broken, release, f"members that are there twice: '{VIDEO}'")


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
    (broken / "fetched.json").unlink()
    check_refused(broken, release, r"boxing\.zip is a broken archive: .*Delete it and fetch it again")


@pytest.mark.parametrize("content", [b"", b"<html>", "cut"], ids=["empty", "html", "cut"])
def test_no_archive_at_all(broken, contents, release, content):
    (broken / BOXING).write_bytes(contents[BOXING][:-100] if content == "cut" else content)
    (broken / "fetched.json").unlink()
    check_refused(broken, release, r"boxing\.zip is a broken archive")


def test_a_name_that_is_no_text(broken, release):
    content = bytearray((broken / BOXING).read_bytes())
    entry = content.index(b"PK\1\2")
    content[entry + 9] |= 8  # its name is in UTF-8, says the flag
    content[entry + 46] = 0xCE
    (broken / BOXING).write_bytes(content)
    (broken / "fetched.json").unlink()
    check_refused(broken, release, r"boxing\.zip is a broken archive: 'utf-8' codec can't decode")


def test_an_encrypted_member(broken, release):
    content = bytearray((broken / BOXING).read_bytes())
    content[content.index(b"PK\1\2") + 8] |= 1  # the flag of the first member
    (broken / BOXING).write_bytes(content)
    (broken / "fetched.json").unlink()
    check_refused(broken, release, "encrypted members: 'person01_boxing_d3_uncomp.avi'")


def test_huge_members(fetched, release, monkeypatch):
    monkeypatch.setattr("fernn.data.kth.archives.LARGEST", 1000)
    with pytest.raises(FernnError, match=r"walking\.zip has members of more than 1,000 bytes: 'person01_walking_d3_"):
        fetch_kth(fetched, release=release)
