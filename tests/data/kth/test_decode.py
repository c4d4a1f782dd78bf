import hashlib
import json
import zipfile

import numpy as np
import pytest

from fernn.arrays import read_arrays
from fernn.data.digests import Digest
from fernn.data.kth import archives, decode
from fernn.data.kth.decode import decode_kth, decode_video
from fernn.data.kth.fetching import fetch_kth
from fernn.data.kth.release import ACTIONS, ARCHIVES, FILES, Original, Release, Video, read_annotations
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
        monkeypatch.setattr(archives, "cores", lambda cores=cores: cores)
        decode_kth(fetched, tmp_path / str(cores), size=16, most_dropped=MOST)
    assert (tmp_path / "1").read_bytes() == (tmp_path / "2").read_bytes()


def test_a_video_that_is_broken_in_the_official_archive(fetched, tmp_path, monkeypatch):
    with zipfile.ZipFile(fetched / "boxing.zip") as archive:
        content = archive.read("person01_boxing_d4_uncomp.avi")
    known = Original("person01_boxing_d4_uncomp.avi", hashlib.sha256(content).hexdigest(), 90, 112, "")
    monkeypatch.setattr(decode, "originals", lambda: {known.file: known})
    (dropped,) = decode_kth(fetched, tmp_path / "frames", size=8, most_dropped=MOST)["dropped"]
    assert "cut off, as in the official archive" in dropped["reason"]


def test_decodes_of_known_originals(made, fetched, tmp_path, monkeypatch):
    """One is as known, one has other frames, and one is another video."""
    known, last = (
        {},
        {video: max(s.stop for s in of) for video, of in read_annotations(fetched / FILES[0]).videos.items()},
    )
    for scenario, member, digest in ((3, None, None), (4, None, "0" * 64), (4, "1" * 64, None)):
        video = Video(13 if member else 1, "jogging", scenario)
        with zipfile.ZipFile(fetched / ARCHIVES["jogging"]) as archive:
            content = archive.read(video.file)
        frames = decode_video(content, 32, last[video]).frames
        digests = member or hashlib.sha256(content).hexdigest(), digest or hashlib.sha256(frames).hexdigest()
        known[video.file] = Original(video.file, digests[0], 112, last[video], digests[1])
    monkeypatch.setattr(decode, "originals", lambda: known)
    remake(made, tmp_path / "kth", lambda name, content: content)
    for folder, size, expected in (
        (tmp_path / "kth", 32, {"compared": 2, "different": ["person01_jogging_d4"]}),
        (tmp_path / "kth", 16, {"compared": 0, "different": []}),
        (fetched, 32, None),  # stand-ins
    ):
        about = decode_kth(folder, tmp_path / "frames", size=size, most_dropped=MOST)
        assert about.get("originals") == expected


def test_too_many_dropped(fetched, tmp_path):
    message = r"1 of 92 sequences are not whole, expected at most 1\.0%:\n  person01_boxing_d4, sequence 4"
    with pytest.raises(FernnError, match=message):
        decode_kth(fetched, tmp_path / "frames", size=32, most_dropped=0.01)
    assert not list(tmp_path.iterdir())


def test_all_videos_broken(made, tmp_path):
    remake(made, tmp_path / "kth", lambda name, content: content[:300])
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


def test_an_archive_that_changed(broken, tmp_path):
    with open(broken / "running.zip", "ab") as file:
        file.write(b"x")
    with pytest.raises(FernnError, match=r"running\.zip has changed since it was fetched: found sha256:"):
        decode_kth(broken, tmp_path / "frames", size=32, most_dropped=0.01)
    (broken / "running.zip").unlink()
    with pytest.raises(FernnError, match=r"running\.zip: no such file.*fernn fetch kth"):
        decode_kth(broken, tmp_path / "frames", size=32, most_dropped=0.01)
