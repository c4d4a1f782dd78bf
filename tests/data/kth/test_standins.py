import http.client
import json
from itertools import pairwise

import numpy as np
import pytest

from fernn.data.kth.release import read_annotations
from fernn.data.kth.release import ACTIONS, FILES, Video
from fernn.data.standins.film import GROUND, film
from fernn.data.standins.make import make_standins
from fernn.data.standins.plan import TALL, plan
from fernn.data.standins.server import serve

FRAMES = 160


def shoot(action: str, person: int = 2, scenario: int = 1) -> np.ndarray:
    """How much each pixel differs from the place behind, (FRAMES, 120, 160)."""
    video = Video(person, action, scenario)
    frames = film(video, plan(video, FRAMES, 0), FRAMES, 0).astype(np.float64)
    return np.abs(frames - np.median(frames, axis=0))


def test_same_bytes_for_any_number_of_workers(tmp_path):
    for workers in (1, 2):
        make_standins(tmp_path / str(workers), persons=[1], scenarios=[4], frames=112, workers=workers)
    for file in [*FILES, "release.json"]:
        assert (tmp_path / "1" / file).read_bytes() == (tmp_path / "2" / file).read_bytes()


def test_another_seed_draws_others(made, tmp_path):
    release = make_standins(tmp_path, persons=[1], scenarios=[4], frames=112, seed=1, workers=1)
    assert len(release.videos) == 6
    assert not release.missing
    assert set(read_annotations(tmp_path / "00sequences.txt").videos) == release.videos
    assert all(release.digests[file] != made[1].digests[file] for file in FILES)


def test_everything_says_that_it_is_a_stand_in(made):
    assert made[1].stand_in
    assert "stand-in" in json.loads((made[0] / "release.json").read_text())["name"]
    assert b"stand-ins, drawn by a program" in (made[0] / "00sequences.txt").read_bytes()


def test_too_short(tmp_path):
    with pytest.raises(ValueError, match="frames is 100; expected at least 112"):
        make_standins(tmp_path, persons=[1], scenarios=[1], frames=100)


def crossing(action: str) -> float:
    """Pixels per frame, from the middle of what differs, while all of it is in the frame."""
    video = Video(2, action, 1)
    sequence = plan(video, FRAMES, 0)[1]
    seen = [frame for frame in shoot(action)[sequence.start : sequence.stop] > 25 if frame.any()]
    middle = np.array([np.nonzero(frame)[1].mean() for frame in seen])
    inside = [not frame[:, :12].any() and not frame[:, -12:].any() for frame in seen]
    steps = np.diff(middle)[[a and b for a, b in pairwise(inside)]]
    assert len(steps) > 5
    return abs(steps.mean())


def test_who_walks_jogs_or_runs_crosses_the_frame_ever_faster():
    walking, jogging, running = map(crossing, ("walking", "jogging", "running"))
    assert walking > 1.0
    assert 1.4 * walking < jogging
    assert 1.4 * jogging < running < 8.0


@pytest.mark.parametrize("action", ["boxing", "handwaving", "handclapping"])
def test_the_others_stay_in_place_and_move_their_arms(action):
    frames = film(Video(2, action, 1), plan(Video(2, action, 1), FRAMES, 0), FRAMES, 0).astype(np.float64)
    moving = frames.std(axis=0) > 12
    rows, columns = np.nonzero(moving)
    assert 40 < columns.mean() < 120
    assert columns.max() - columns.min() < 90
    # it happens above the hips
    assert np.quantile(rows, 0.9) < GROUND - 0.4 * TALL


def test_actions_persons_and_places_differ():
    videos = [Video(2, action, 1) for action in ACTIONS] + [Video(5, "boxing", s) for s in (1, 2, 3, 4)]
    films = [film(video, plan(video, 112, 0), 112, 0).astype(np.float64) for video in videos]
    for number, one in enumerate(films):
        assert one.shape == (112, 120, 160)
        assert all(np.abs(one - other).mean() > 2 for other in films[:number])
    assert films[-1].mean() < 0.75 * films[-2].mean()  # it is darker indoors


def test_zoom():
    waist = [np.ptp(np.nonzero(frame > 25)[0]) for frame in shoot("handwaving", scenario=2)[:: FRAMES // 16]]
    still = [np.ptp(np.nonzero(frame > 25)[0]) for frame in shoot("handwaving", scenario=1)[:: FRAMES // 16]]
    assert len(waist) == len(still)
    assert np.ptp(waist) > 10


@pytest.fixture
def ask(tmp_path):
    (tmp_path / "served" / "inner").mkdir(parents=True)
    (tmp_path / "served" / "digits").write_bytes(b"0123456789")
    (tmp_path / "secret").write_bytes(b"secret")
    with serve(tmp_path / "served") as base:
        connection = http.client.HTTPConnection(base.removeprefix("http://").rstrip("/"), timeout=10)

        def ask(path: str, **headers: str) -> tuple[int, bytes, dict[str, str]]:
            connection.request("GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()})
            response = connection.getresponse()
            body = response.read()
            connection.close()
            return response.status, body, dict(response.headers)

        yield ask


def test_server_gives_ranges(ask):
    status, body, headers = ask("/digits")
    assert (status, body, headers["Content-Length"]) == (200, b"0123456789", "10")
    tag = headers["ETag"]
    status, body, headers = ask("/digits", Range="bytes=7-")
    assert (status, body, headers["Content-Range"]) == (206, b"789", "bytes 7-9/10")
    assert ask("/digits", Range="bytes=7-", If_Range=tag)[:2] == (206, b"789")
    assert ask("/digits", Range="bytes=7-", If_Range='"older"')[:2] == (200, b"0123456789")
    assert ask("/digits", Range="bytes=0-")[:2] == (200, b"0123456789")
    status, body, headers = ask("/digits", Range="bytes=10-")
    assert (status, body, headers["Content-Range"]) == (416, b"", "bytes */10")


@pytest.mark.parametrize(
    "path", ["/", "/inner", "/../secret", "/%2e%2e/secret", "//etc/passwd", "/inner/../digits", "/nothing"]
)
def test_server_gives_nothing_else(ask, path):
    assert ask(path)[0] == 404
