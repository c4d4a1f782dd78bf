"""Flowing MNIST by stages: data, training and evaluation of A and B, compared with the reference implementation."""

import json
import math
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from fernn.arrays import read_arrays
from fernn.datasets import rotating, translating
from fernn.datasets.sequences import Recipes
from fernn.errors import FernnError
from fernn.evaluation import velocity_index
from fernn.evaluation.outcome import Workplace
from fernn.evaluation.prediction import LARGEST
from fernn.experiments import find_experiment
from fernn.experiments.digits import animation
from fernn.experiments.digits.figures import moving_forecasts
from fernn.experiments.digits.forecasts import read_samples
from fernn.flows.rotation import Rotation, rotate
from fernn.flows.translation import Translation
from fernn.layout import RECORD, Layout
from fernn.models import load_model, save_model
from fernn.pipeline.stages import evaluate_run, make_result, train_run
from fernn.pipeline.verdicts import judge_claims
from fernn.provenance.records import read_record
from fernn.runs import Run, find_run
from tests import measured
from tests.experiments.flowing import (
    BATCH,
    EPOCHS,
    FLOWS,
    LENGTH,
    MODELS,
    PREDICTED,
    RUNS,
    SCALE,
    SEEN,
    TEST,
    TRAIN,
    write_params,
)
from tests.experiments.tasks import task_of
from tests.measured import by_index

SIDE = 9
SAMPLER = {"translation": translating.TranslationSampler, "rotation": rotating.RotationSampler}
RENDER = {"translation": translating.render, "rotation": rotating.render}
FLOW = {"translation": Translation(1), "rotation": Rotation(1, 30)}


@pytest.fixture(scope="module")
def layout(root, tmp_path_factory) -> Layout:
    """Results of both runs; not to be changed."""
    folder = tmp_path_factory.mktemp("flowing")
    params, layout = write_params(root, folder), Layout(SCALE, folder / "results")
    for name, (flow, still) in FLOWS.items():
        for part in ("digits", f"validation-{flow}", f"test-{flow}", f"length-{flow}", f"velocity-{still}"):
            make_result(params, layout, "dataset", f"{name}/{part}")
            if part.partition("-")[0] in ("test", "length", "velocity"):
                make_result(params, layout, "dataset", f"{name}/trivial-{part}")
        train_run(params, layout, RUNS[name], allow_cpu=True)
        evaluate_run(params, layout, RUNS[name], allow_cpu=True)
    return layout


@pytest.fixture(params=FLOWS)
def name(request) -> str:
    """Of the experiment."""
    return request.param


def recipes_of(layout: Layout, name: str, measure: str) -> Recipes:
    flow = FLOWS[name][measure == "velocity"]
    return Recipes.read(layout.dataset(name, f"{measure}-{flow}"))


def pool_of(layout: Layout, name: str, part: str) -> Tensor:
    return read_arrays(layout.dataset(name, "digits"))[0][part]


def measures_of(layout: Layout, name: str) -> dict:
    return measured.read(layout.evaluation(RUNS[name], "results.csv"))


def errors(model: nn.Module, frames: Tensor) -> Tensor:
    """Mean squared errors (N, steps) of what a model predicts."""
    with torch.no_grad():
        predicted = model(frames[:, :SEEN], frames.shape[1] - SEEN)
    return (predicted - frames[:, SEEN:]).double().square().mean((2, 3, 4))


def test_sets_of_sequences(layout, name):
    sizes = {"validation": (4, "validation"), "test": (TEST, "test"), "length": (4, "test"), "velocity": (3, "test")}
    drawn = {measure: recipes_of(layout, name, measure) for measure in sizes}
    for measure, (count, pool) in sizes.items():
        assert len(drawn[measure]) == count
        assert drawn[measure].digit.max() < len(pool_of(layout, name, pool))
    assert not torch.equal(drawn["test"].start[:4], drawn["length"].start)
    assert not drawn["velocity"].velocity.any()
    velocities = drawn["test"].velocity.flatten(0, 1).tolist()
    assert {tuple(v) if isinstance(v, list) else v for v in velocities} <= set(FLOW[name].generators)


def test_what_an_epoch_trains_on(layout, name, root, tmp_path):
    """Digits of the training split, resampled at each epoch; batches are reproducible."""
    params, sampler = write_params(root, tmp_path), SAMPLER[name]
    run = find_run(params, RUNS[name])
    work = find_experiment(name).training(params, layout, run)
    inputs = work.inputs
    data, seed = inputs["data"], inputs["seed"]
    sizes = (data.digits, SIDE) if name == "translation" else (data.digits,)

    def sampler_of(pool: int) -> object:
        assert pool == len(pool_of(layout, name, "train"))
        return sampler(data.seed, f"train/{FLOWS[name][0]}/seed{seed}", pool, *sizes, FLOW[name])

    task = task_of(work)
    pool = pool_of(layout, name, "train")
    for epoch in (1, 0):
        batches = torch.cat([task.batch(epoch, number) for number in range(task.batches)])
        recipes = sampler_of(len(pool)).draw(TRAIN, epoch=epoch)
        assert torch.equal(batches, RENDER[name](pool, recipes, SEEN + PREDICTED, SIDE))
    held_out = recipes_of(layout, name, "validation")
    expected = RENDER[name](pool_of(layout, name, "validation"), held_out, SEEN + PREDICTED, SIDE)
    assert torch.equal(task.validation(0, 4), expected)
    assert (task.batches, task.validation_sequences, task.seen) == (-(-TRAIN // BATCH), 4, SEEN)


def test_a_model_may_predict_more_frames_in_training_than_in_the_tests(layout, name, root, tmp_path):
    params = write_params(root, tmp_path)
    section, experiment, run = params.section(name), find_experiment(name), find_run(params, RUNS[name])
    longer = {run.model: section.models[run.model].model_copy(update={"predicted": PREDICTED + 2})}
    changed = params.model_copy(update={name: section.model_copy(update={"models": {**section.models, **longer}})})
    task = task_of(experiment.training(changed, layout, run))
    assert task.batch(0, 0).shape[1] == task.validation(0, 1).shape[1] == SEEN + PREDICTED + 2
    assert experiment.evaluation(changed, layout, run).inputs == experiment.evaluation(params, layout, run).inputs
    assert experiment.workload(changed, run).epoch.predicted == PREDICTED + 2


def test_seeds_vary_what_is_trained_on_and_not_what_is_tested_on(layout, name, root, tmp_path):
    params = write_params(root, tmp_path, seeds=(0, 1))
    run = find_run(params, RUNS[name])
    runs = [replace(run, seed=seed) for seed in (0, 1, 0)]
    works = [find_experiment(name).training(params, layout, run) for run in runs]
    batches = [task_of(work).batch(0, 0) for work in works]
    assert torch.equal(batches[0], batches[2])
    assert not torch.equal(batches[0], batches[1])
    tested = [find_experiment(name).evaluation(params, layout, run) for run in runs[:2]]
    assert tested[0].inputs == tested[1].inputs
    assert {**tested[0].files, "model": None} == {**tested[1].files, "model": None}
    assert works[0].files == works[1].files  # digits and validation


def test_a_training(layout, name):
    rows = measured.rows(layout.run(RUNS[name], "metrics.csv"))
    assert [row["epoch"] for row in rows] == [str(epoch) for epoch in range(1, EPOCHS + 1)]
    losses = [float(row["validation_loss"]) for row in rows]
    record = json.loads(layout.run(RUNS[name], "record.json").read_text())
    assert record["details"]["best_epoch"] == 1 + losses.index(min(losses))

    model = load_model(layout.run(RUNS[name], "model.safetensors"))
    assert model.config["flow"] == MODELS[name].removeprefix("FERNN-")
    pool, recipes = pool_of(layout, name, "validation"), recipes_of(layout, name, "validation")
    loss = errors(model, RENDER[name](pool, recipes, SEEN + PREDICTED, SIDE)).mean().item()
    assert loss == pytest.approx(min(losses), rel=1e-5)


def test_data_sets_and_a_training_repeat(layout, name, root, tmp_path):
    params = write_params(root, tmp_path)
    again = Layout(SCALE, tmp_path / "results")
    for part in ("digits", f"validation-{FLOWS[name][0]}", f"test-{FLOWS[name][0]}"):
        make_result(params, again, "dataset", f"{name}/{part}")
        assert again.dataset(name, part).read_bytes() == layout.dataset(name, part).read_bytes()
    train_run(params, again, RUNS[name], allow_cpu=True)
    for file in ("model.safetensors", "metrics.csv"):
        assert again.run(RUNS[name], file).read_bytes() == layout.run(RUNS[name], file).read_bytes()


def test_the_record_tells_what_was_asked_for_and_what_was_computed_at_a_time(layout, name):
    record = read_record(layout.run(RUNS[name], RECORD))
    asked = {key: record.inputs["training"][key] for key in ("micro_batch", "precision", "batch")}
    assert asked == {"micro_batch": "auto", "precision": "tf32", "batch": BATCH}
    assert record.details["micro_batch"] == BATCH  # all that a CPU is given, unless a batch is large


@pytest.mark.parametrize(("measure", "steps"), [("test", PREDICTED), ("length", LENGTH)])
def test_errors_by_step(layout, name, measure, steps):
    found = measures_of(layout, name)[measure]
    model = load_model(layout.run(RUNS[name], "model.safetensors"))
    recipes = recipes_of(layout, name, measure)
    expected = errors(model, RENDER[name](pool_of(layout, name, "test"), recipes, SEEN + steps, SIDE))
    assert found["sequences", ""] == len(recipes)
    assert list(by_index(found, "mse").values()) == pytest.approx(expected.mean(0).tolist(), rel=1e-5)
    assert list(by_index(found, "mse_std").values()) == pytest.approx(expected.std(0, correction=0).tolist(), rel=1e-4)
    assert found["mse", ""] == pytest.approx(expected.mean().item(), rel=1e-5)


def test_parameters_are_counted(layout, name):
    model = load_model(layout.run(RUNS[name], "model.safetensors"))
    told = measures_of(layout, name)[""]["parameters", ""]
    assert told == sum(weight.numel() for weight in model.parameters()) > 0


def test_errors_by_velocity(layout, name):
    found = measures_of(layout, name)["velocity"]
    model = load_model(layout.run(RUNS[name], "model.safetensors"))
    pool, recipes = pool_of(layout, name, "test"), recipes_of(layout, name, "velocity")
    flow, cells = Translation(1) if name == "translation" else Rotation(2, 30), by_index(found, "mse")
    assert list(cells) == [velocity_index(velocity) for velocity in flow.generators]
    for velocity, error in zip(flow.generators, cells.values(), strict=True):
        moving = replace(recipes, velocity=torch.zeros_like(recipes.velocity) + torch.tensor(velocity))
        expected = errors(model, RENDER[name](pool, moving, SEEN + PREDICTED, SIDE)).mean().item()
        assert error == pytest.approx(expected, rel=1e-5)
    assert found["mse", ""] == pytest.approx(sum(cells.values()) / len(cells))
    assert by_index(found, "mse_median").keys() == by_index(found, "lost").keys() == cells.keys()
    assert found["sequences", ""] == len(recipes)


def test_samples_for_figures(layout, name):
    samples, _ = read_arrays(layout.evaluation(RUNS[name], "samples.safetensors"))
    model = load_model(layout.run(RUNS[name], "model.safetensors"))
    recipes = recipes_of(layout, name, "test")[:2]
    frames = RENDER[name](pool_of(layout, name, "test"), recipes, SEEN + PREDICTED, SIDE)
    assert torch.equal(samples["seen"], frames[:, :SEEN])
    assert torch.equal(samples["truth"], frames[:, SEEN:])
    with torch.no_grad():
        assert torch.allclose(samples["prediction"], model(frames[:, :SEEN], PREDICTED), atol=1e-5)
    recipes = recipes_of(layout, name, "length")[:2]
    frames = RENDER[name](pool_of(layout, name, "test"), recipes, SEEN + LENGTH, SIDE)
    assert torch.equal(samples["length.truth"], frames[:, SEEN:])
    with torch.no_grad():
        assert torch.allclose(samples["length.prediction"], model(frames[:, :SEEN], LENGTH), atol=1e-5)


def test_samples_of_a_run_that_is_tested_at_velocities_alone(layout, name, root, tmp_path):
    """They move at the last velocity of the grid."""
    params, model = write_params(root, tmp_path), layout.run(RUNS[name], "model.safetensors")
    run = Run(name, FLOWS[name][0], "G-RNN", 0.01, 0)
    work = find_experiment(name).evaluation(params, layout, run)
    outputs = tmp_path / "results.csv", tmp_path / "samples.safetensors"
    work = replace(work, files={**work.files, "model": model})
    work.do(Workplace(torch.device("cpu"), run.id, lambda: None), outputs)
    measures, (samples, _) = measured.read(outputs[0]), read_arrays(outputs[1])
    assert list(measures) == ["", "velocity"]
    fastest = (1, 1) if name == "translation" else 60.0
    recipes = recipes_of(layout, name, "velocity")[:2].moving_at(fastest)
    frames = RENDER[name](pool_of(layout, name, "test"), recipes, SEEN + PREDICTED, SIDE)
    assert torch.equal(samples["truth"], frames[:, SEEN:])
    assert torch.equal(samples["velocity.truth"], frames[:, SEEN:])


def test_a_rollout_that_grows_without_bound(layout, name, root, tmp_path, capsys):
    """It blocks no table: a NaN error counts as the largest, and a warning says so."""
    params, path = write_params(root, tmp_path), tmp_path / "model.safetensors"
    model = load_model(layout.run(RUNS[name], "model.safetensors"))
    with torch.no_grad():
        model.decoder[-1].weight.fill_(1e30)
    save_model(model, path)
    run = find_run(params, RUNS[name])
    work = find_experiment(name).evaluation(params, layout, run)
    work = replace(work, files={**work.files, "model": path})
    outputs = tmp_path / "results.csv", tmp_path / "samples.safetensors"
    work.do(Workplace(torch.device("cpu"), run.id, lambda: None), outputs)
    found = measured.read(outputs[0])["length"]
    assert found["mse", str(LENGTH)] == LARGEST
    assert all(map(math.isfinite, found.values()))
    assert all(array.isfinite().all() for array in read_arrays(outputs[1])[0].values())
    where = "test from step 1, length from step 1, velocity from step 1"
    assert capsys.readouterr().err.count(f"{run.id}: predictions overflow float32 ({where})") == 1


@pytest.mark.parametrize(("measure", "steps"), [("test", PREDICTED), ("length", LENGTH)])
def test_errors_of_trivial_forecasts(layout, name, measure, steps):
    part = f"trivial-{measure}-{FLOWS[name][0]}"
    found, _ = read_arrays(layout.dataset(name, part))
    pool, recipes = pool_of(layout, name, "test"), recipes_of(layout, name, measure)
    frames = RENDER[name](pool, recipes, SEEN + steps, SIDE)
    seen, truth = frames[:, :SEEN], frames[:, SEEN:]
    sums = torch.zeros_like(truth)
    for digit in range(recipes.digit.shape[1]):  # one after the other, by the flow's own move
        alone = Recipes(*(each[:, digit : digit + 1] for each in (recipes.digit, recipes.start, recipes.velocity)))
        last = RENDER[name](pool, alone, SEEN, SIDE)[:, -1]
        for step, sequence in product(range(steps), range(len(recipes))):
            velocity = alone.velocity[sequence, 0].tolist()
            sums[sequence, step] += moved(name, last[sequence], velocity, step + 1)
    forecasts = {
        "mean brightness": torch.stack([each.mean() for each in seen]).view(-1, 1, 1, 1, 1).expand_as(truth),
        "last frame": seen[:, [-1] * steps],
        "true velocity": sums.clamp(max=1),
    }
    assert found.keys() == forecasts.keys()
    for forecast, predicted in forecasts.items():
        expected = (predicted - truth).double().square().mean((0, 2, 3, 4))
        torch.testing.assert_close(found[forecast], expected.unsqueeze(0), rtol=1e-4, atol=1e-9)
    copied = found["true velocity"]
    # whole pixels cost nothing; a turn is interpolated, which blurs, but knows far more than a frame that stands still
    if name == "translation":
        assert not copied.any()
    else:
        assert (copied > 0).all()
        assert copied.mean() < found["last frame"].mean()


def moved(name: str, picture: Tensor, velocity: list[int] | float, time: int) -> Tensor:
    """A picture (1, side, side), moved by a velocity for some frames."""
    if name == "rotation":
        return rotate(picture.unsqueeze(0), time * velocity)[0]
    return picture.roll((time * velocity[1], time * velocity[0]), (1, 2))


def test_errors_of_trivial_forecasts_by_velocity(layout, name):
    found, _ = read_arrays(layout.dataset(name, f"trivial-velocity-{FLOWS[name][1]}"))
    velocities = (Translation(1) if name == "translation" else Rotation(2, 30)).generators
    pool, recipes = pool_of(layout, name, "test"), recipes_of(layout, name, "velocity")
    for errors in found.values():
        assert errors.shape == (len(velocities), PREDICTED)
    for row, velocity in enumerate(velocities):
        frames = RENDER[name](pool, recipes.moving_at(velocity), SEEN + PREDICTED, SIDE)
        expected = (frames[:, SEEN - 1 : SEEN] - frames[:, SEEN:]).double().square().mean((0, 2, 3, 4))
        torch.testing.assert_close(found["last frame"][row], expected, rtol=1e-5, atol=1e-12)
    assert not found["last frame"][len(velocities) // 2].any()  # nothing moves


@pytest.mark.parametrize("part", ["test", "test-", "best-V1T", "digits-V1T", "trivial-V1T", "trivial-validation-V1T"])
def test_no_such_part(name, root, tmp_path, part):
    params = write_params(root, tmp_path)
    with pytest.raises(FernnError, match=f"{name}/{part}: no such data set; expected digits, or one of validation"):
        make_result(params, Layout(SCALE, tmp_path), "dataset", f"{name}/{part}")


def test_claims_are_judged_by_the_runs_that_are_finished(root, tmp_path, layout):
    """One of two models was trained, with one seed."""
    params = write_params(root, tmp_path)
    found = {
        (each.claim.text, each.verdict.value): each.reason
        for each in judge_claims(params, layout)
        if each.claim.experiment == "translation"
    }
    order = "At velocities never seen in training, FERNN-V2T is better than G-RNN"
    assert found[order, "not run"] == "G-RNN on V1T is not finished"
    bound = "FERNN-V2T, trained on V1T, is as good at every velocity never seen in training"
    assert found[bound, "not run"] == "translation.data.velocity has no velocity beyond those of V1T"
    assert found["Test MSE: FERNN-V2T is better than G-RNN", "not run"] == "params.yaml has no run of FERNN-V2T on V2T"
    # edited params: what is there is of others, so nothing is finished
    longer = write_params(root, tmp_path).model_copy(deep=True)
    data = longer.translation.data.model_copy(update={"predicted": PREDICTED + 1})
    longer = longer.model_copy(update={"translation": longer.translation.model_copy(update={"data": data})})
    again = {each.claim.text: each.reason for each in judge_claims(longer, layout)}
    assert again[bound] == "FERNN-V2T on V1T is not finished"


def test_an_animation_shows_the_first_sequence_of_the_test_of_length(root, tmp_path, layout, name, monkeypatch):
    params, shown = write_params(root, tmp_path), []
    monkeypatch.setattr(animation, "moving_forecasts", lambda *of: shown.append(of) or moving_forecasts(*of))
    gif = tmp_path / "digits.gif"
    assert animation.animate(params, layout, RUNS[name], gif) == f"{gif}: truth, {RUNS[name]}"
    ((frames, forecasts),) = shown
    samples = read_samples(layout, find_run(params, RUNS[name]), "length.")
    np.testing.assert_array_equal(frames[:SEEN], samples.seen[0, :, 0])
    np.testing.assert_array_equal(frames[SEEN : SEEN + LENGTH], samples.truth[0, :, 0])
    ((model, forecast),) = forecasts.items()
    assert model == MODELS[name]
    np.testing.assert_allclose(forecast[:LENGTH], samples.prediction[0, :, 0], rtol=1e-4, atol=1e-6)
    with Image.open(gif) as moving:
        assert (moving.format, moving.n_frames, moving.info["loop"]) == ("GIF", SEEN + animation.STEPS, 0)
