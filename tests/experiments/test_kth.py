"""Moving KTH by the command line: drawn stand-ins fetched, decoded, learned and measured."""

import hashlib
import json
import os
import re
import signal
import zipfile
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from fernn.arrays import read_arrays
from fernn.data.kth import decode
from fernn.data.kth.release import ACTIONS, Original, read_release
from fernn.datasets.moving_clips import Clips
from fernn.evaluation.outcome import Workplace
from fernn.experiments import load_params
from fernn.experiments.kth import fetch
from fernn.experiments.kth.data import make_clips, make_frames
from fernn.experiments.kth.experiment import EXPERIMENT
from fernn.files import sha256
from fernn.layout import Layout
from fernn.models import CNN3D, FERNNClassifier, GRNNPlusClassifier, load_model
from fernn.provenance.records import read_record, write_record
from fernn.runs import find_run
from fernn.training.progress import TrainingProgress
from tests import measured
from tests.measured import by_index
from tests.reference import kth as plain_kth

from .conftest import BATCH, CLIPS, EPOCHS, MODELS, RUNS, SCALE, write_params
from .tasks import task_of

LENGTH, STRIDE = 4, 2
CLIPS_OF_TEST = {"split": "test", "persons": [3], "flow": "V1T", "frames": LENGTH, "stride": STRIDE, "seed": 42}
KINDS = dict(zip(MODELS, [CNN3D, FERNNClassifier, GRNNPlusClassifier, FERNNClassifier, FERNNClassifier], strict=True))
FLOWS = dict(zip(MODELS, [None, "V0T", "V2T", "V1T", "V2T"], strict=True))


def layout(folder: Path) -> Layout:
    return Layout(SCALE, folder / "results")


def clips_of(folder: Path, part: str) -> Clips:
    return Clips.read(layout(folder).dataset("kth", part))


def test_the_frames(made):
    arrays, about = read_arrays(layout(made).dataset("kth", "frames"))
    assert about["stand_in"]
    assert arrays["frames"].shape == (int(arrays["length"].sum()), 12, 12)
    assert arrays["frames"].dtype == torch.uint8
    assert arrays["person"].unique(return_counts=True)[1].tolist() == [CLIPS] * 3


def test_the_splits(made):
    arrays, _ = read_arrays(layout(made).dataset("kth", "frames"))
    person = torch.repeat_interleave(arrays["person"], arrays["length"])
    for number, part in enumerate(["train-V1T", "validation-V1T", "test-V1T"], 1):
        clips = clips_of(made, part)
        assert len(clips) == CLIPS
        assert set(person[clips.first].tolist()) == {number}
        assert torch.bincount(clips.label).tolist() == [4] * 6


def test_evaluated_clips_lie_in_the_middle(made):
    arrays, _ = read_arrays(layout(made).dataset("kth", "frames"))
    tests = arrays["person"] == 3
    clips = clips_of(made, "test-V1T")
    middle = arrays["offset"] + (arrays["length"] - LENGTH * STRIDE) // 2
    assert torch.equal(clips.first, middle[tests])
    assert not clips.flip.any()
    assert not clips.room.any()
    still = clips_of(made, "test-V0T")
    assert torch.equal(still.first, clips.first)
    assert not still.velocity.any()
    assert clips.velocity.any()


def test_evaluated_clips_may_lie_anywhere_once_and_for_all(made, tmp_path):
    frames = layout(made).dataset("kth", "frames")
    make = partial(make_clips, {"frames": frames}, **CLIPS_OF_TEST, draws=1)
    for name in ("a", "b"):
        make(tmp_path / name)
    make(tmp_path / "validation", split="validation")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    clips, middle = Clips.read(tmp_path / "a"), clips_of(made, "test-V1T")
    order = clips.first.argsort()  # no two sequences share a frame
    ends = [*middle.first.tolist()[1:], 10**9]
    assert all(
        first + (LENGTH - 1) * STRIDE < end for first, end in zip(clips.first[order].tolist(), ends, strict=True)
    )
    assert torch.equal(clips.label[order], middle.label)
    assert torch.equal(clips.velocity[order], middle.velocity)
    assert not torch.equal(clips.first[order], middle.first)
    assert not torch.equal(clips.first, Clips.read(tmp_path / "validation").first)
    assert not clips.flip.any()
    make(tmp_path / "other", seed=43)
    other = Clips.read(tmp_path / "other")
    assert not torch.equal(other.first.sort().values, clips.first.sort().values)
    assert not torch.equal(other.velocity[other.first.argsort()], clips.velocity[order])


def test_evaluated_clips_may_be_drawn_several_times(made, tmp_path):
    frames, draws = layout(made).dataset("kth", "frames"), 3
    make_clips({"frames": frames}, tmp_path / "clips", **CLIPS_OF_TEST, draws=draws)
    clips = Clips.read(tmp_path / "clips")
    assert len(clips) == draws * CLIPS
    parts = [clips[first : first + CLIPS] for first in range(0, len(clips), CLIPS)]
    starts = [part.first.sort().values for part in parts]
    assert all(torch.equal(part.label[part.first.argsort()], clips_of(made, "test-V1T").label) for part in parts)
    assert len({tuple(first.tolist()) for first in starts}) == draws


@pytest.mark.parametrize("model", MODELS)
def test_a_trained_model(trained, model):
    run = RUNS[model]
    rows = measured.rows(layout(trained).run(run, "metrics.csv"))
    assert list(rows[0]) == ["epoch", "step", "train_loss", "validation_loss", "validation_accuracy"]
    assert [row["epoch"] for row in rows] == [str(epoch) for epoch in range(1, EPOCHS + 1)]
    accuracies = [float(row["validation_accuracy"]) for row in rows]
    record = json.loads(layout(trained).run(run, "record.json").read_text())
    assert record["details"]["best_epoch"] == 1 + accuracies.index(max(accuracies))

    loaded = load_model(layout(trained).run(run, "model.safetensors"))
    assert type(loaded) is KINDS[model]
    assert loaded.config.get("flow") == FLOWS[model]


@pytest.mark.parametrize("model", ["3D-CNN", "G-RNN+", "FERNN-V2T"])
def test_an_evaluation_is_that_of_the_plain_clips(trained, model):
    run, there = RUNS[model], layout(trained)
    measures = measured.read(there.evaluation(run, "results.csv"))
    frames = read_arrays(there.dataset("kth", "frames"))[0]["frames"]
    loaded = load_model(there.run(run, "model.safetensors"))
    assert list(measures) == ["", "V0T", "V1T"]
    for flow in ("V0T", "V1T"):
        found, clips = measures[flow], clips_of(trained, f"test-{flow}")
        with torch.no_grad():
            logits = loaded(plain_kth.serve(frames, clips, LENGTH, STRIDE))
        named = logits.argmax(1)
        assert found["clips", ""] == CLIPS
        assert found["accuracy", ""] == (named == clips.label).double().mean().item()
        assert found["loss", ""] == pytest.approx(F.cross_entropy(logits, clips.label).item(), rel=1e-5)
        pairs = list(zip(clips.label.tolist(), named.tolist(), strict=True))
        names = {f"{a} {b}": pairs.count((ACTIONS.index(a), ACTIONS.index(b))) for a in ACTIONS for b in ACTIONS}
        assert by_index(found, "confusion") == names


@pytest.mark.parametrize(("precision", "dtype"), [("float32", torch.float32), ("bf16", torch.bfloat16)])
def test_mode_and_precision_of_an_evaluation(trained, root, tmp_path, monkeypatch, precision, dtype):
    forward, seen = FERNNClassifier.forward, set()

    def look(model, clips):
        logits = forward(model, clips)
        seen.add((model.training, torch.is_grad_enabled(), logits.dtype))
        return logits

    monkeypatch.setattr(FERNNClassifier, "forward", look)
    write_params(root, tmp_path / "params.yaml", precision)
    params = load_params(tmp_path / "params.yaml", SCALE)
    run = find_run(params, RUNS["FERNN-V1T"])
    work = EXPERIMENT.evaluation(params, layout(trained), run)
    work.do(Workplace(torch.device("cpu"), run.id, lambda: None), (tmp_path / "measures", tmp_path / "samples"))
    assert seen == {(False, False, dtype)}


def test_samples_of_an_evaluation(trained):
    samples, _ = read_arrays(layout(trained).evaluation(RUNS["FERNN-V1T"], "samples.safetensors"))
    assert samples["clip"].shape == (6, LENGTH, 1, 12, 12)
    assert samples["label"].tolist() == sorted(samples["label"].tolist())
    with torch.no_grad():
        logits = load_model(layout(trained).run(RUNS["FERNN-V1T"], "model.safetensors"))(samples["clip"])
    assert torch.allclose(logits, samples["logits"], atol=1e-5)


def test_what_an_epoch_trains_on(made, monkeypatch):
    """Every clip once, in order and places of the epoch's own; batches are reproducible."""
    monkeypatch.chdir(made)
    params = load_params("params.yaml", SCALE)
    run = find_run(params, RUNS["FERNN-V1T"])
    work = EXPERIMENT.training(params, Layout(SCALE), run)
    recognition = task_of(work)
    epochs = [[recognition.batch(epoch, number) for number in range(recognition.batches)] for epoch in (0, 1, 0)]
    assert [len(label) for _, label in epochs[0]] == [BATCH] * 3
    for batches in epochs:
        assert torch.bincount(torch.cat([label for _, label in batches])).tolist() == [4] * 6
    shown = [torch.cat([clips for clips, _ in batches]) for batches in epochs]
    assert torch.equal(shown[0], shown[2])
    assert not torch.equal(shown[0], shown[1])
    other = EXPERIMENT.training(params, Layout(SCALE), replace(run, seed=run.seed + 1))
    assert other.files == work.files
    data = work.inputs["data"]
    assert data.seed == params.section("kth").data.seed != 0
    for task in (task_of(other), task_of(work, data=data.model_copy(update={"seed": data.seed + 1}))):
        assert not torch.equal(task.batch(0, 0)[0], epochs[0][0][0])


def test_stopped_and_started_again(fernn, trained, monkeypatch, capsys):
    """In the middle of the second epoch; the end is the same, bit for bit."""
    done, batch, run = [], TrainingProgress.batch, RUNS["FERNN-V1T"]

    def stop(self, state):
        done.append(state.epoch)
        batch(self, state)
        if len(done) == 4:
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(TrainingProgress, "batch", stop)
    assert fernn("train", run) == 128 + signal.SIGTERM
    assert "stopped by SIGTERM; the same command goes on" in capsys.readouterr().err
    here = Layout(SCALE)
    assert not here.run(run, "model.safetensors").exists()
    assert fernn("train", run) == 0
    assert "goes on after epoch 1, batch 1 of 3" in capsys.readouterr().err
    assert done == [0, 0, 0, 1, 1, 1]
    for file in ("model.safetensors", "metrics.csv"):
        assert here.run(run, file).read_bytes() == layout(trained).run(run, file).read_bytes()
    assert fernn("evaluate", run) == 0
    for file in ("results.csv", "samples.safetensors"):
        assert here.evaluation(run, file).read_bytes() == layout(trained).evaluation(run, file).read_bytes()


@pytest.mark.parametrize(("part", "person"), [("train-V1T", 1), ("validation-V1T", 2), ("test-V0T", 3)])
def test_a_split_without_a_clip(fernn, root, capsys, part, person):
    write_params(root, Path("params.yaml"), frames=40)
    before = Layout(SCALE).dataset("kth", part).read_bytes()
    assert fernn("dataset", f"kth/{part}") == 1
    said = capsys.readouterr().err
    assert said.startswith(f"dataset kth/{part} is outdated and is rebuilt: input frames 4 then, 40 now")
    assert f"fernn: the {part.partition('-')[0]} set would hold no clip: no sequence of persons {person} " in said
    assert "has 80 frames. Change frames, stride or persons in kth.data of params.yaml" in said
    assert Layout(SCALE).dataset("kth", part).read_bytes() == before


@pytest.mark.parametrize("part", ["train-V1T", "validation-V1T"])
def test_training_on_a_file_without_a_clip(fernn, capsys, part):
    path = Layout(SCALE).dataset("kth", part)
    Clips.read(path)[:0].write(path)
    record = path.with_suffix(".record.json")
    of = read_record(record)
    write_record(record, of.model_copy(update={"outputs": {path.as_posix(): sha256(path)}}))
    assert fernn("train", RUNS["3D-CNN"]) == 1
    assert f"{path} holds no clip" in capsys.readouterr().err


@pytest.mark.parametrize("part", ["train", "train-", "all-V1T", "frames-V1T"])
def test_no_such_part(fernn, capsys, part):
    assert fernn("dataset", f"kth/{part}") == 1
    assert (
        f"fernn: kth/{part}: no such data set; expected frames, or one of train, validation" in capsys.readouterr().err
    )


def test_no_such_flow(fernn, capsys):
    assert fernn("dataset", "kth/test-V1R") == 1
    assert "'V1R' names no flow of translation" in capsys.readouterr().err


def test_stand_ins_that_are_drawn_anew_are_fetched_anew(fernn, capsys):
    """What was downloaded of the earlier drawing gives way; a folder outside the scale's results would not."""
    params = Path("params.yaml")
    params.write_text(params.read_text().replace("seed: 0}", "seed: 1}").replace("seed: 0\n", "seed: 1\n"))
    before = Path(f"results/{SCALE}/downloads/kth/walking.zip").read_bytes()
    assert fernn("standins") == 0
    Path(f"results/{SCALE}/downloads/kth/fetched.json").unlink()  # as Snakemake does before it runs the rule again
    assert fernn("fetch", "kth") == 0
    assert Path(f"results/{SCALE}/downloads/kth/walking.zip").read_bytes() != before


def test_originals_that_differ_from_the_known_ones_are_named(fernn, capsys, monkeypatch):
    """Stand-ins that pass for originals: their members and frames are not the known ones."""
    drawn = Layout(SCALE).standins("kth")
    monkeypatch.setattr(fetch, "OFFICIAL", replace(read_release(drawn / "release.json"), stand_in=False))
    assert fernn("fetch", "kth", "--from", str(drawn)) == 0
    printed = capsys.readouterr().out
    assert "0 of the 108 originals that we know are as they should be\n" in printed
    warned = re.findall(r"WARNING: (\S+) has other bytes", printed)
    assert warned == [
        f"{name}_uncomp.avi" for name in ("person01_walking_d3", "person02_walking_d3", "person03_boxing_d3")
    ]

    record = Path(f"results/{SCALE}/downloads/kth/fetched.json")
    with zipfile.ZipFile(record.with_name("walking.zip")) as archive:
        digest = hashlib.sha256(archive.read(warned[0])).hexdigest()
    monkeypatch.setattr(decode, "originals", lambda: {warned[0]: Original(warned[0], digest, 112, 112, "0" * 64)})
    make_frames({"fetched": record}, Path("frames"), size=32, most_dropped=0, stand_ins=None)
    said = "".join(capsys.readouterr())
    assert "decoded as known: 0 of 1 known originals\n" in said
    assert "WARNING: person01_walking_d3 is decoded to other frames than known" in said


def test_downloads_outside_the_results_are_never_removed(fernn, capsys):
    elsewhere = Path("mine")
    params = Path("params.yaml")
    params.write_text(params.read_text().replace(f"folder: results/{SCALE}/downloads/kth", "folder: mine"))
    elsewhere.mkdir()
    (elsewhere / "walking.zip").write_bytes(b"an original")
    assert fernn("fetch", "kth") == 1
    assert (elsewhere / "walking.zip").read_bytes() == b"an original"
    assert "unknown digests" in capsys.readouterr().err
