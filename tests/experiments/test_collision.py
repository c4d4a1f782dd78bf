"""Experiment `collision`: its forecasts, its groups of steps, its models, and what the page says of its data."""

import re
from pathlib import Path

import pytest
import torch

from fernn.arrays import read_arrays, write_arrays
from fernn.experiment import Pass
from fernn.experiments import load_params
from fernn.experiments.collision.errors import groups, main
from fernn.experiments.collision.experiment import EXPERIMENT, make_trivial
from fernn.layout import Layout
from fernn.models import save_model
from fernn.pipeline.cost import models
from fernn.runs import runs_of

ROOT = Path(__file__).parents[2]
PARAMS = load_params(ROOT / "params.yaml", "collision")
SECTION = EXPERIMENT.section(PARAMS)
MOTION, DATA = EXPERIMENT.motion(SECTION), SECTION.data


def test_last_velocity_is_exact_up_to_a_collision(tmp_path: Path) -> None:
    recipes = MOTION.sampler("V2T", 0, "test", 9, 2).draw(200)
    free = groups(MOTION, recipes, DATA.seen, DATA.predicted)["no collision yet"]
    files = {name: tmp_path / name for name in ("digits", "sequences")}
    write_arrays(files["digits"], {"test": torch.randint(1, 256, (9, 7, 7), dtype=torch.uint8)}, {})

    def errors(chosen: torch.Tensor) -> torch.Tensor:
        recipes[chosen].write(files["sequences"])
        given = EXPERIMENT.dataset(PARAMS, Layout("collision"), "trivial-test-V2T").inputs
        make_trivial(files, tmp_path / "errors", **given)
        return read_arrays(tmp_path / "errors")[0]["last velocity"]

    assert not errors(free[:, -1]).any()
    steps = torch.arange(DATA.predicted)
    for first in (1, 3):  # sequences whose first changed step is this one
        error = errors(free[:, first - 1] & ~free[:, first])[0]
        assert torch.equal(error > 0, steps >= first)


def test_models_that_mix_are_counted() -> None:
    found = models(PARAMS)
    work = Pass(1, DATA.frame, DATA.seen, DATA.predicted)
    ratio = found["collision/FERNN-V2T-mixing"].flops(work) / found["collision/FERNN-V2T"].flops(work)
    assert 6 < ratio < 9  # nine kernels; the decoder and the frames cost the same


def test_errors_of_the_seeds_that_are_complete(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "params.yaml").symlink_to(ROOT / "params.yaml")
    layout = Layout("collision", tmp_path / "results")
    with pytest.raises(SystemExit, match="no seed has all its models"):
        main(tmp_path)
    pool = torch.randint(1, 256, (9, 7, 7), dtype=torch.uint8)
    recipes = MOTION.sampler("V2T", 0, "test", 9, 2).draw(40)
    write_arrays(layout.dataset("collision", "digits"), {"test": pool}, {})
    recipes.write(layout.dataset("collision", "test-V2T"))
    *runs, missing = runs_of(PARAMS, "collision")
    for run in runs:
        model = EXPERIMENT.model(SECTION, run.model).build()
        torch.nn.init.zeros_(model.decoder[-1].weight)  # predicts black frames
        save_model(model, layout.model(run.id))
    main(tmp_path)
    printed = capsys.readouterr().out
    truth = MOTION.render(pool, recipes, DATA.seen + DATA.predicted, DATA.frame)[:, DATA.seen :].square()
    black = f"{truth.mean():.4f} ± 0.0000"
    assert f"| all | 100% | {black} | {black} | {black} | 1.00 (1.00 to 1.00) | 1.00 | 1.00 (1.00 to 1.00) |" in printed
    assert f"| {missing.model} | " + " | ".join(f"{each:.4f}" for each in truth.mean((0, 2, 3, 4))) + " |" in printed


def test_the_page_gives_the_numbers_of_params_yaml() -> None:
    page = " ".join((ROOT / "docs/collision.md").read_text().split())
    recipes = MOTION.sampler("V2T", 1, "test", 9, 2).draw(20_000)
    changed = groups(MOTION, recipes, DATA.seen, DATA.predicted)["after a collision"].double().mean().item()
    assert abs(int(re.search(r"(\d+) % of the predicted steps", page)[1]) / 100 - changed) < 0.01
    assert f"A model sees {DATA.seen} frames and predicts {DATA.predicted}" in page
    assert f"closer than {DATA.contact} pixels" in page
    updates = SECTION.training.epochs * DATA.train // SECTION.training.batch
    assert f"{updates} updates of {SECTION.training.batch} sequences" in page
    for name, weights in {"FERNN-V2T": 4104, "FERNN-V2T-mixing": 14472}.items():
        assert sum(each.numel() for each in EXPERIMENT.model(SECTION, name).build().parameters()) == weights
        assert f"{weights:,}" in page
