"""A search for the learning rate in which one candidate diverges, from data sets to tables."""

import json
from pathlib import Path

import pytest
import yaml

from fernn.errors import FernnError
from fernn.experiments import load_params
from fernn.layout import Layout
from fernn.models import load_model
from fernn.params import Params
from fernn.pipeline.stages import evaluate_run, make_result, train_run
from fernn.runs import all_runs
from tests import measured

from .flowing import SCALE, write_params

TOO_HIGH, RATE = 1e30, 0.01


def params_of(source: Path, folder: Path, **runs: object) -> Params:
    """One group of runs of experiment A."""
    write_params(source, folder)
    content = yaml.safe_load((folder / "params.yaml").read_text())
    scale = content["scales"][SCALE]
    scale["experiments"] = ["translation"]
    scale["translation"]["models"] = {"G-RNN": {"learning_rate": TOO_HIGH}}
    scale["translation"]["runs"] = [{"flow": "V1T", "models": ["G-RNN"], "evaluate": ["test"], **runs}]
    (folder / "params.yaml").write_text(yaml.safe_dump(content))
    return load_params(folder / "params.yaml", SCALE)


def make_datasets(params: Params, layout: Layout) -> None:
    for part in ("digits", "validation-V1T", "test-V1T", "trivial-test-V1T"):
        make_result(params, layout, "dataset", f"translation/{part}")


def test_a_candidate_that_diverges_does_not_stop_the_tables(root, tmp_path):
    params, layout = params_of(root, tmp_path, search=[TOO_HIGH, RATE]), Layout(SCALE, tmp_path / "results")
    make_datasets(params, layout)
    failed, chosen = all_runs(params)
    for run in (failed, chosen):
        train_run(params, layout, run, allow_cpu=True)
        evaluate_run(params, layout, run, allow_cpu=True)
    make_result(params, layout, "tables")

    details = json.loads(layout.run(failed, "record.json").read_text())["details"]
    assert (details["diverged"], details["best_epoch"]) == (True, 0)
    assert load_model(layout.model(failed))
    assert json.loads(layout.run(chosen, "record.json").read_text())["details"]["diverged"] is False
    rows = measured.rows(layout.table("selection.csv"))
    found = [(float(row["learning_rate"]), row["chosen"], row["failure"]) for row in rows]
    assert found == [(TOO_HIGH, "no", "seed 0 diverged in epoch 1"), (RATE, "yes", "")]
    assert (
        f"- Failed, and never chosen: {failed.removesuffix('/seed0')}, seed 0" in layout.table("table1.md").read_text()
    )


def test_a_run_that_is_no_candidate_ends_in_an_error(root, tmp_path):
    params, layout = params_of(root, tmp_path), Layout(SCALE, tmp_path / "results")
    make_datasets(params, layout)
    (run,) = all_runs(params)
    with pytest.raises(FernnError, match=r"diverged in epoch 1.*lower them in params\.yaml"):
        train_run(params, layout, run, allow_cpu=True)
    assert not layout.model(run).exists()
