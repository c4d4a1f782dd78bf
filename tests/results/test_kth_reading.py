import json
import re

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from fernn.errors import FernnError
from fernn.experiments.kth.recognition import read_clips, read_recognition, read_videos
from fernn.layout import Layout
from tests.results.kth_tree import EACH, RIGHT, kth_params, samples, write_kth_run, write_videos
from tests.results.tree import run_of


@pytest.fixture
def layout(tmp_path):
    return Layout("quick", tmp_path)


@pytest.fixture
def run(layout):
    params = kth_params()
    run = run_of(params, "G-RNN", 0, flow="V1T")
    write_kth_run(layout, params, run, [0.5] * 4, RIGHT["G-RNN"])
    return run


def refused(path, run, found):
    remedy = re.escape(f"`fernn evaluate {run.id} --scale quick`")
    return pytest.raises(FernnError, match=rf"^{re.escape(str(path))} .*{found}.*{remedy}")


def test_what_was_written_is_read(layout, run):
    measure = read_recognition(layout, run, "V1T", 6)
    assert (measure.accuracy, measure.clips, measure.confusion[0][:2]) == (0.6, 6 * EACH, [12, 8])
    assert read_recognition(layout, run, "V0T", 6).accuracy == 0.55
    assert read_clips(layout, run, 6).clip.shape == (6, 16, 1, 32, 32)
    write_videos(layout)
    videos = read_videos(layout)
    assert (videos.stand_in, videos.sequences, videos.dropped[0].frames) == (True, 2390, "246-370")


@pytest.mark.parametrize(
    ("changed", "found"),
    [
        ({"accuracy": 1.2}, "measures.V1T.accuracy"),
        ({"accuracy": 0.7}, "accuracy of V1T is 0.7, where 72 of 120 clips are named rightly"),
        ({"clips": 119}, "counts 120 clips, where there are 119"),
        ({"confusion": [[20] * 5] * 6}, "not 6 rows of 6 actions"),
        ({"confusion": [[-1] * 6] * 6}, "measures.V1T.confusion.0.0"),
    ],
)
def test_a_broken_measure(layout, run, changed, found):
    path = layout.evaluation(run.id, "results.csv")
    content = json.loads(path.read_text())
    content["measures"]["V1T"] |= changed
    path.write_text(json.dumps(content))
    with refused(path, run, found):
        read_recognition(layout, run, "V1T", 6)


def test_a_flow_that_was_not_tested(layout, run):
    with refused(layout.evaluation(run.id, "results.csv"), run, "no measure 'V3T'"):
        read_recognition(layout, run, "V3T", 6)


@pytest.mark.parametrize(
    ("changed", "found"),
    [
        ({"logits": np.zeros((6, 5), np.float32)}, "do not fit"),
        ({"label": np.arange(5)}, "do not fit"),
        ({"clip": np.zeros((6, 16, 32, 32), np.float32)}, "do not fit"),
        ({"label": np.arange(1, 7)}, "a label in it is none of 6 actions"),
    ],
)
def test_broken_clips(layout, run, changed, found):
    path = layout.evaluation(run.id, "samples.safetensors")
    save_file(samples(run) | changed, path)
    with refused(path, run, found):
        read_clips(layout, run, 6)


def test_the_samples_of_a_predictor_are_no_clips(layout, run):
    path = layout.evaluation(run.id, "samples.safetensors")
    save_file({"seen": load_file(path)["clip"]}, path)
    with refused(path, run, "not the samples of such a run"):
        read_clips(layout, run, 6)


def test_videos_without_a_record(layout):
    remedy = "fernn dataset kth/frames --scale quick"
    with pytest.raises(FernnError, match=f"is missing.*{remedy}"):
        read_videos(layout)
    path = write_videos(layout, stand_in="perhaps")
    with pytest.raises(FernnError, match=f"no record of the videos.*{remedy}"):
        read_videos(layout)
    save_file({"frames": np.zeros(3, np.uint8)}, path)
    with pytest.raises(FernnError, match=f"no record of the videos.*{remedy}"):
        read_videos(layout)
    path.write_bytes(path.read_bytes()[:11])
    with pytest.raises(FernnError, match=f"no record of the videos.*{remedy}"):
        read_videos(layout)
