import hashlib
import json
import zipfile

import numpy as np
import pytest

from fernn.arrays import read_arrays
from fernn.data.digests import Digest
from fernn.data.kth import decode, parallel
from fernn.data.kth.decode import decode_kth
from fernn.data.kth.fetching import fetch_kth
from fernn.data.kth.release import ACTIONS, ARCHIVES, FILES, Release, Video, read_annotations
from fernn.data.kth.video import decode_video
from fernn.errors import FernnError
from fernn.files import sha256

MOST = 0.02  # one sequence of 92
VIDEO = Video(13, "jogging", 4)


def read(path):
    arrays, record = read_arrays(path)
    return {name: array.numpy() for name, array in arrays.items()}, record


def remake(made, folder, change) -> None:
    """Fetch the set to `folder` after a change of its videos, as a release of its own."""
    source = folder.with_name("changed")
    source.mkdir()
    (source / FILES[0]).write_bytes((made[0] / FILES[0]).read_bytes())
    for file in ARCHIVES.values():
        with zipfile.ZipFile(made[0] / file) as before, zipfile.ZipFile(source / file, "w") as after:
            for info in before.infolist():
                after.writestr(info.filename, change(info.filename, before.read(info)))
    digests = {file: (Digest("sha256", sha256(source / file)),) for file in FILES}
    release = Release("changed", digests, made[1].videos, made[1].missing)
    fetch_kth(folder, from_folder=source, release=release)


def test_the_whole_set(fetched, tmp_path):
    told = []
    about = decode_kth(fetched, tmp_path / "frames", most_dropped=MOST, progress=lambda *t: told.append(t), size=32)
    arrays, record = read(tmp_path / "frames")
    assert record == json.loads(json.dumps(about))
    assert told == [(done, 23) for done in range(1, 24)]
    annotated = read_annotations(fetched / FILES[0]).videos
    expected = [
        (video.person, ACTIONS.index(video.action), video.scenario, number, each.start, len(each))
        for video, sequences in annotated.items()
        for number, each in enumerate(sequences, 1)
        if (video, number) != (Video(1, "boxing", 4), 4)
    ]
    columns = ("person", "label", "scenario", "sequence", "start", "length")
    assert list(zip(*(arrays[name].tolist() for name in columns), strict=True)) == expected
    lengths = arrays["length"]
    np.testing.assert_array_equal(arrays["offset"], np.cumsum(lengths) - lengths)
    assert arrays["frames"].shape == (lengths.sum(), 32, 32)
    assert {name: array.dtype for name, array in arrays.items()} == {
        **dict.fromkeys(arrays, np.int64),
        "frames": np.uint8,
    }
    # frames of a sequence are where the index says
    with zipfile.ZipFile(fetched / ARCHIVES[VIDEO.action]) as archive:
        whole = decode_video(archive.read(VIDEO.file), 32, 112).frames
    row = expected.index(next(e for e in expected if e[:4] == (13, ACTIONS.index("jogging"), 4, 3)))
    start, length, offset = (arrays[name][row] for name in ("start", "length", "offset"))
    np.testing.assert_array_equal(arrays["frames"][offset : offset + length], whole[start : start + length])
    assert start > 0
    assert whole.std() > 5


def test_the_record(fetched, made, tmp_path):
    about = decode_kth(fetched, tmp_path / "frames", size=8, most_dropped=MOST)
    last = read_annotations(fetched / FILES[0]).videos[Video(1, "boxing", 4)][3]
    middle = (last.start + last.stop) // 2
    assert about["dropped"] == [
        {
            "video": "person01_boxing_d4",
            "sequence": 4,
            "frames": f"{last.start + 1}-{last.stop}",
            "reason": f"the video ends after frame {middle} (the next one is cut off)",
        }
    ]
    assert about["missing"] == ["person13_handclapping_d3"]
    assert (about["videos"], about["sequences"], about["size"]) == (23, 91, 8)
    assert about["inputs"] == {file: digests[0].value for file, digests in made[1].digests.items()}
    assert (about["release"], about["stand_in"]) == ("synthetic videos in the format of KTH", True)
    assert read(tmp_path / "frames")[0]["frames"].shape == (about["frames"], 8, 8)


def test_same_bytes_for_any_number_of_cores(fetched, tmp_path, monkeypatch):
    for cores in (1, 2):
        monkeypatch.setattr(parallel, "cores", lambda cores=cores: cores)
        decode_kth(fetched, tmp_path / str(cores), size=16, most_dropped=MOST)
    assert (tmp_path / "1").read_bytes() == (tmp_path / "2").read_bytes()


def test_a_video_that_is_broken_in_the_official_archive(fetched, tmp_path, monkeypatch):
    with zipfile.ZipFile(fetched / "boxing.zip") as archive:
        content = archive.read("person01_boxing_d4_uncomp.avi")
    monkeypatch.setattr(decode, "KNOWN_BROKEN", {hashlib.sha256(content).hexdigest()})
    (dropped,) = decode_kth(fetched, tmp_path / "frames", size=8, most_dropped=MOST)["dropped"]
    assert "cut off, as in the official archive" in dropped["reason"]


def test_too_many_dropped(fetched, tmp_path):
    message = r"1 of 92 sequences are not whole, expected no more than 1\.0% of them:\n  person01_boxing_d4, sequence 4"
    with pytest.raises(FernnError, match=message):
        decode_kth(fetched, tmp_path / "frames", size=32, most_dropped=0.01)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "change", [lambda c: b"", lambda c: c[:300], lambda c: bytes(len(c))], ids=["empty", "cut", "zero"]
)
def test_all_videos_broken(made, tmp_path, change):
    remake(made, tmp_path / "kth", lambda name, content: change(content))
    with pytest.raises(FernnError, match=r"92 of 92 sequences are not whole.*(\n.*){6}and 87 more\nDo the archives"):
        decode_kth(tmp_path / "kth", tmp_path / "frames", size=32, most_dropped=0.01)
    assert not (tmp_path / "frames").exists()


def test_one_video_broken(made, tmp_path):
    remake(made, tmp_path / "kth", lambda name, content: content[: 300 if name == VIDEO.file else None])
    about = decode_kth(tmp_path / "kth", tmp_path / "frames", most_dropped=0.1, size=32)
    assert [each["sequence"] for each in about["dropped"] if each["video"] == VIDEO.name] == [1, 2, 3, 4]
    reasons = {each["reason"] for each in about["dropped"] if each["video"] == VIDEO.name}
    assert reasons == {"the video ends after frame 0 (Invalid data found when processing input)"}
    people = read(tmp_path / "frames")[0]["person"]
    assert about["sequences"] == len(people) == 87


def test_archives_that_were_not_fetched(tmp_path):
    with pytest.raises(
        FernnError, match=r"holds no fetched\.json: the files are not all there. Run: fernn fetch kth --scale SCALE"
    ):
        decode_kth(tmp_path, tmp_path / "frames", size=32, most_dropped=0.01)


def test_an_archive_that_changed(broken, tmp_path):
    with open(broken / "running.zip", "ab") as file:
        file.write(b"x")
    with pytest.raises(FernnError, match=r"running\.zip has changed since it was fetched: found sha256:"):
        decode_kth(broken, tmp_path / "frames", size=32, most_dropped=0.01)
    (broken / "running.zip").unlink()
    with pytest.raises(FernnError, match=r"running\.zip: no such file.*fernn fetch kth"):
        decode_kth(broken, tmp_path / "frames", size=32, most_dropped=0.01)


def test_a_folder_that_cannot_be_written(fetched, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(FernnError, match=r"cannot write .*Make room"):
        decode_kth(fetched, tmp_path / "file" / "frames", size=8, most_dropped=MOST)
