"""bf16 against float32 where it counts: at the end of trainings of the quick scale, over several seeds."""

from statistics import mean, stdev

import pytest

from fernn.experiments import find_experiment, load_params
from fernn.layout import Layout
from fernn.pipeline.stages import make_result
from fernn.runs import all_runs
from tests.experiments.tasks import network_of, task_of
from tests.training.toy import train

SEEDS = range(3)


@pytest.mark.slow
def test_bf16_ends_within_a_standard_deviation_of_float32(root, tmp_path, monkeypatch):
    """FERNN-V1T on V2T, at the sizes and the rate of the quick scale; the best validation loss of each seed."""
    monkeypatch.chdir(root)
    params, layout = load_params("params.yaml", "quick"), Layout("quick", tmp_path)
    run = next(run for run in all_runs(params).values() if run.model == "FERNN-V1T" and run.flow == "V2T")
    for part in ("digits", "validation-V2T"):
        make_result(params, layout, "dataset", f"translation/{part}")
    work = find_experiment("translation").training(params, layout, run)

    def best_loss(seed: int, precision: str) -> float:
        task, model = task_of(work, seed=seed), network_of(work, seed=seed)
        training = work.inputs["training"]
        how = {
            "learning_rate": work.inputs["learning_rate"],
            "epochs": training.epochs,
            "clip_norm": training.clip_norm,
        }
        fit = train(tmp_path / f"{precision}-{seed}", task=task, model=model, precision=precision, **how)
        return min(row["validation_loss"] for row in fit.history)

    losses = {precision: [best_loss(seed, precision) for seed in SEEDS] for precision in ("float32", "bf16")}
    print(losses)  # shown where it fails
    assert losses["bf16"] != losses["float32"]
    assert abs(mean(losses["bf16"]) - mean(losses["float32"])) <= stdev(losses["float32"])
