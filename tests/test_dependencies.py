"""What DVC watches is what Snakemake compares."""

from pathlib import Path

import yaml

from fernn.experiments import load_params
from fernn.layout import Layout
from fernn.pipeline.jobs import Jobs, dependencies, left_behind
from fernn.provenance.lineages import representative
from fernn.runs import all_runs
from tests.results.made import figure_names


def test_every_job_has_its_lineage_there(root: Path) -> None:
    params = load_params(root / "params.yaml", "quick")
    jobs = Jobs(params, Layout("quick"))
    found = dependencies(jobs)
    assert list(found["train"]) == list(all_runs(params))
    train = {run: representative(jobs.lineage(jobs.find("train", run)), None) for run in found["train"]}
    assert found["train"] == train
    assert len(set(train.values())) == len(train)
    assert found["evaluate"].keys() == found["train"].keys()
    digits = jobs.find("dataset", "translation/digits").inputs
    assert set(digits["carried"]) == {str(path) for path in Path("resources/mnist-subset").glob("*.gz")}
    assert all(len(digest) == 64 for digest in digits["carried"].values())


def test_other_stand_ins_are_other_frames(root: Path) -> None:
    # stand-ins are not kept: where they are missing, only this tells frames of other videos
    params = load_params(root / "params.yaml", "quick")
    frames = Jobs(params, Layout("quick")).find("dataset", "kth/frames").inputs
    assert frames["stand_ins"]["seed"] == params.kth.source.stand_ins.seed
    assert frames["stand_ins"]["code"]


def test_sources_of_the_paper_are_fetched(root: Path) -> None:
    params = load_params(root / "params.yaml", "paper")
    assert {path.parent.as_posix() for path in Jobs(params, Layout("paper")).sources()} == {"data/mnist", "data/kth"}


def test_nothing_else_is_left_behind(root: Path, tmp_path: Path) -> None:
    params, layout = load_params(root / "params.yaml", "quick"), Layout("quick", tmp_path)
    run = next(iter(all_runs(params)))
    kept = [layout.run(run, "model.safetensors"), layout.base / "logs/train.log"]
    gone = [
        layout.base / "runs/provenance.zip",
        layout.run(run.replace("seed", "seed9"), "model.safetensors"),
        layout.table("table9.csv"),
    ]
    for path in [*kept, *gone]:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    assert left_behind(params, layout) == gone


def test_dvc_shows_figures_that_there_are(root: Path) -> None:
    shown = [Path(path) for path in yaml.safe_load((root / "dvc.yaml").read_text())["plots"]]
    assert {path.parent for path in shown} == {Path("results/quick/figures")}
    assert {path.name for path in shown} <= set(figure_names(load_params(root / "params.yaml", "quick")))
