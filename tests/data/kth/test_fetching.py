import json
import shutil

import pytest

from fernn.data.digests import Digest
from fernn.data.download import ALREADY_THERE, DownloadError
from fernn.data.kth.fetching import UnknownDigestError, fetch_kth, parse_accept, read_record
from fernn.data.kth.release import FILES, OFFICIAL, Release, read_release
from fernn.data.kth.synthetic import serve
from fernn.errors import FernnError

from ..server import Fault, Server

BOXING = "boxing.zip"
NOWHERE = "http://127.0.0.1:9/"


def replace(release: Release, **digests: str) -> Release:
    """The release, with other known digests of some archives."""
    known = {f"{stem}.zip": (Digest.parse(digest),) for stem, digest in digests.items()}
    return Release(release.name, {**release.digests, **known}, release.videos, release.missing, release.stand_in)


def test_downloads_the_whole_set_from_a_served_folder(made, folder, contents, patience):
    release, seen = read_release(made[0] / "release.json"), []
    assert release == made[1]
    with serve(made[0]) as base:
        record = fetch_kth(folder, [base], release=release, patience=patience, progress=lambda *told: seen.append(told))
    assert {path.name for path in folder.iterdir()} == {*FILES, "fetched.json"}
    assert {name for name, done, total in seen if done == total} >= {*FILES, f"{BOXING} [check]"}
    assert record == read_record(folder)
    assert (record["release"], record["stand_in"]) == ("synthetic videos in the format of KTH", True)
    for file in FILES:
        digest = str(release.digests[file][0])
        entry = {"sha256": digest[7:], "source": f"{base}{file}", "accepted": "known", "digest": digest}
        assert record["files"][file] == entry
    # all there: no server is asked, and the record still tells where the files came from
    assert fetch_kth(folder, [NOWHERE], release=release) == record


FAULTS = {
    "404": (Fault(status=404), "HTTP 404"),
    "503": (Fault(status=503), "HTTP 503 .*the last of 4 attempts"),
    "cut off": (Fault(cut=100), "after 400 of .* bytes"),
    "slow": (Fault(stall=0), r"no data for 1 s"),
    "no answer": (Fault(drop=True), "the connection was cut"),
    "wrong bytes": (Fault(garble=True), "found sha256:"),
}


@pytest.mark.parametrize("kind", FAULTS)
def test_lasting_faults_end_in_one_error_or_another_base(mirror, release, folder, patience, kind):
    fault, message = FAULTS[kind]
    mirror.faults[f"kth/{BOXING}"] = [fault] * 4
    with pytest.raises(FernnError, match=message) as caught:
        fetch_kth(folder, [mirror.url("kth")], release=release, patience=patience)
    assert isinstance(caught.value, UnknownDigestError if kind == "wrong bytes" else DownloadError)
    assert not (folder / BOXING).exists()
    assert not (folder / "fetched.json").exists()
    mirror.faults[f"kth/{BOXING}"] = [fault] * 4
    with Server() as other:
        other.files[BOXING] = mirror.files[f"kth/{BOXING}"]
        record = fetch_kth(folder, [mirror.url("kth"), other.base], release=release, patience=patience)
    assert record["files"][BOXING]["source"] == other.url(BOXING)


def test_unknown_digests_are_told_all_at_once_then_accepted_on_record(mirror, release, folder, patience):
    stale = replace(release, boxing="sha1:" + "0" * 40, walking="sha256:" + "1" * 64)
    truth = {file: release.digests[file][0] for file in (BOXING, "walking.zip")}
    with pytest.raises(UnknownDigestError, match="files with unknown digests: 2") as caught:
        fetch_kth(folder, [mirror.url("kth")], release=stale, patience=patience)
    assert caught.value.found == truth
    message = str(caught.value)
    assert f"expected sha1:{'0' * 40}" in message
    words = message.partition("fernn fetch kth --scale SCALE --accept ")[2].split(" --accept ")
    assert parse_accept(words) == truth

    with pytest.raises(UnknownDigestError, match="unknown digests: 1"):
        fetch_kth(folder, [mirror.url("kth")], accept={BOXING: truth[BOXING]}, release=stale, patience=patience)
    record = fetch_kth(folder, [mirror.url("kth")], accept=parse_accept(words), release=stale, patience=patience)
    assert {file for file, told in record["files"].items() if told["accepted"] == "by the user"} == set(truth)
    assert record["files"][BOXING]["digest"] == str(truth[BOXING])
    # what was accepted stays so
    assert fetch_kth(folder, [NOWHERE], release=stale) == record
    assert json.loads((folder / "fetched.json").read_text()) == record


def test_any_of_several_digests_will_do(made, release, folder):
    several = {BOXING: (*OFFICIAL.digests[BOXING], *release.digests[BOXING])}
    both = Release(release.name, {**release.digests, **several}, release.videos, release.missing)
    record = fetch_kth(folder, from_folder=made[0], release=both)
    assert record["files"][BOXING]["digest"] == str(release.digests[BOXING][0])
    assert record["files"][BOXING]["source"] == str(made[0])


@pytest.mark.parametrize(
    "words", ["boxing.zip", "boxing.zip=09437744", "boxing.zip=sha256:09437744", "boxing.zip=sha0:09"]
)
def test_malformed_words_of_acceptance(words):
    with pytest.raises(FernnError, match=r"cannot accept 'boxing.*expected such as boxing\.zip=sha256:0943"):
        parse_accept([words])


def test_accepting_a_file_that_is_none(folder):
    with pytest.raises(FernnError, match=r"cannot accept dancing\.zip: the files are 00sequences\.txt, walking\.zip"):
        fetch_kth(folder, accept={"dancing.zip": Digest("sha1", "0" * 40)})


def test_the_originals_are_not_the_stand_ins(made, tmp_path):
    with pytest.raises(UnknownDigestError, match="unknown digests: 7") as caught:
        fetch_kth(tmp_path / "kth", from_folder=made[0])
    assert "sha256:09437744bd760b3ba628d0315d12e2b6a7f86f5fbd41a316583bb4e3d5f09f20" in str(caught.value)
    assert not list((tmp_path / "kth").iterdir())


def test_from_a_folder_that_lacks_a_file(made, release, folder, tmp_path):
    (tmp_path / "part").mkdir()
    shutil.copy(made[0] / FILES[0], tmp_path / "part")
    with pytest.raises(FernnError, match=r"walking\.zip: no such file. The folder must hold 00sequences\.txt, walking"):
        fetch_kth(folder, from_folder=tmp_path / "part", release=release)


def test_from_nowhere(folder, release):
    with pytest.raises(FernnError, match="needs at least one base address, or a folder that holds it"):
        fetch_kth(folder, [], release=release)


def test_in_place(broken, release):
    """A folder of archives may be both the source and the goal."""
    (broken / "fetched.json").unlink()
    record = fetch_kth(broken, from_folder=broken, release=release)
    assert {told["source"] for told in record["files"].values()} == {ALREADY_THERE}


def test_a_damaged_file_is_left_alone(broken, release):
    (broken / BOXING).write_bytes(b"PK")
    with pytest.raises(UnknownDigestError, match=r"boxing\.zip is not the expected file.*rm .*boxing\.zip"):
        fetch_kth(broken, release=release)
    assert (broken / BOXING).read_bytes() == b"PK"


def test_annotations_of_other_videos(broken, made):
    for videos, message in (
        (OFFICIAL.videos, r"names 23 videos, expected 599; the difference: person01_boxing_d1, .* \.\.\."),
        (made[1].videos, "names 1 missing videos, expected 0; the difference: person13_handclapping_d3"),
    ):
        other = Release("other", made[1].digests, videos, frozenset())
        with pytest.raises(FernnError, match=message):
            fetch_kth(broken, release=other)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"files": {}}', '{"files": {"boxing.zip": {}}}'])
def test_a_broken_record(broken, release, text):
    (broken / "fetched.json").write_text(text)
    with pytest.raises(FernnError, match=r"fetched\.json is broken .*Run: fernn fetch kth --scale SCALE"):
        read_record(broken)
    fetch_kth(broken, release=release)
    assert set(read_record(broken)["files"]) == set(FILES)


@pytest.mark.parametrize("text", [None, "", "[]", '{"name": "x"}', '{"name": "x", "digests": {}}'])
def test_a_broken_release(tmp_path, text):
    if text is not None:
        (tmp_path / "release.json").write_text(text)
    with pytest.raises(FernnError, match=r"release\.json does not describe a release"):
        read_release(tmp_path / "release.json")
