import json
import urllib.error
import urllib.request
from itertools import pairwise

import numpy as np
import pytest

from fernn.data.kth import parallel
from fernn.data.kth.release import ACTIONS, FILES, LOST, OFFICIAL, PERSONS, SCENARIOS, Video, read_annotations
from fernn.data.kth.synthetic import PERIOD, annotate, film, make_standins, plan, serve

FRAMES = 160


def ellipse(action: str, person: int = 2, scenario: int = 1) -> np.ndarray:
    """Mean column, mean row, width, height and area of the ellipse, (FRAMES, 5)."""
    frames = film(Video(person, action, scenario), FRAMES, 0)
    bright = frames > 150
    seen = []
    for mask in bright:
        rows, columns = np.nonzero(mask)
        seen.append((columns.mean(), rows.mean(), np.ptp(columns), np.ptp(rows), len(rows)))
    return np.array(seen)


def test_same_bytes_for_any_number_of_cores(tmp_path, monkeypatch):
    for cores in (1, 2):
        monkeypatch.setattr(parallel, "cores", lambda cores=cores: cores)
        make_standins(tmp_path / str(cores), persons=[1], scenarios=[4], frames=112)
    for file in [*FILES, "release.json"]:
        assert (tmp_path / "1" / file).read_bytes() == (tmp_path / "2" / file).read_bytes()


def test_another_seed_draws_others(made, tmp_path):
    release = make_standins(tmp_path, persons=[1], scenarios=[4], frames=112, seed=1)
    assert len(release.videos) == 6
    assert not release.missing
    assert set(read_annotations(tmp_path / "00sequences.txt").videos) == release.videos
    assert all(release.digests[file] != made[1].digests[file] for file in FILES)


def test_everything_says_that_it_is_synthetic(made):
    assert made[1].stand_in
    assert "synthetic" in json.loads((made[0] / "release.json").read_text())["name"]
    assert b"drawn by a program" in (made[0] / "00sequences.txt").read_bytes()


def test_too_short(tmp_path):
    with pytest.raises(ValueError, match="frames is 100; expected at least 112"):
        make_standins(tmp_path, persons=[1], scenarios=[1], frames=100)


def test_motion_defines_the_action():
    seen = {action: ellipse(action) for action in ACTIONS}
    spread = {action: np.ptp(values, axis=0) for action, values in seen.items()}
    speed = {a: np.median(np.abs(np.diff(seen[a][:, 0]))) for a in ("walking", "running")}
    assert 0.5 < speed["walking"] < 1.0
    assert 2.5 < speed["running"] < 3.5
    assert spread["jogging"][1] > 10 > spread["jogging"][0]  # up and down
    assert spread["boxing"][0] > 10 > spread["boxing"][1]  # from side to side
    assert min(spread["handwaving"][2:4]) > 30  # turns: wide, then tall
    assert spread["handclapping"][4] > seen["handclapping"][:, 4].mean()  # grows and shrinks
    area = seen["handclapping"][:, 4] - seen["handclapping"][:, 4].mean()
    crossings = np.count_nonzero(np.diff(np.sign(area)))
    assert abs(crossings - 2 * FRAMES / PERIOD) <= 4


def test_persons_and_scenarios_differ():
    videos = [Video(2, "boxing", 1), *(Video(5, "boxing", s) for s in SCENARIOS)]
    films = [film(video, 112, 0).astype(np.float64) for video in videos]
    for number, one in enumerate(films):
        assert one.shape == (112, 120, 160)
        assert all(np.abs(one - other).mean() > 2 for other in films[:number])
    assert films[-1].mean() < 0.85 * films[-2].mean()  # it is darker indoors
    assert np.ptp(ellipse("walking", scenario=2)[:, 3]) > 10 > np.ptp(ellipse("walking")[:, 3])  # the camera zooms


def test_annotations_have_the_oddities_of_the_official_ones(tmp_path):
    everything = [Video(p, a, s) for p in PERSONS for a in ACTIONS for s in SCENARIOS]
    text = annotate({video: plan(video, 480, seed=0) for video in everything if video not in LOST})
    assert " \r\n" in text
    (tmp_path / "00sequences.txt").write_bytes(text.encode())
    videos, missing = read_annotations(tmp_path / "00sequences.txt")
    assert set(videos) == OFFICIAL.videos
    assert set(missing) == OFFICIAL.missing
    parts = (range(1, 17), range(17, 21), range(21, 26))
    assert [sum(v.person in part for v in videos) for part in parts] == [383, 96, 120]
    assert {len(sequences) for sequences in videos.values()} == {3, 4}
    pairs = [pair for sequences in videos.values() for pair in pairwise(sequences)]
    assert any(after.start < before.start for before, after in pairs)
    assert any(before.start < after.start < before.stop for before, after in pairs)
    assert any(len(each) < 32 for sequences in videos.values() for each in sequences)
    assert all(each.stop <= 480 for sequences in videos.values() for each in sequences)


@pytest.mark.parametrize("path", ["../secret", "%2e%2e/secret", "/etc/passwd", "inner/../../secret", "nothing"])
def test_server_gives_its_folder_alone(tmp_path, path):
    (tmp_path / "served" / "inner").mkdir(parents=True)
    (tmp_path / "served" / "digits").write_bytes(b"0123456789")
    (tmp_path / "secret").write_bytes(b"secret")
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with serve(tmp_path / "served") as base:
        assert opener.open(base + "digits").read() == b"0123456789"
        with pytest.raises(urllib.error.HTTPError, match="404"):
            opener.open(base + path)
