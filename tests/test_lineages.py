"""What DVC watches is what Snakemake compares: lineages, some of which are known to make the same bytes."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from fernn.errors import FernnError
from fernn.experiments import load_params
from fernn.layout import Layout
from fernn.pipeline.jobs import Jobs, dependencies, left_behind
from fernn.provenance import lineages
from fernn.provenance.lineages import Probe, add_probe, read_probes, representative
from fernn.runs import all_runs
from tests.results.made import figure_names


def probe(commit: str, device: str = "cpu", **pairs: tuple[str, str]) -> Probe:
    about = {"commit": commit, "time": "2026-12-01T00:00:00Z", "machine": "M", "torch": "2", "probe": "p"}
    return Probe.model_validate({**about, "device": device, "lineages": {"quick": pairs}})


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    path = tmp_path / "equivalent.json"
    monkeypatch.setattr(lineages, "FILE", path)
    lineages._representatives.cache_clear()
    yield path
    lineages._representatives.cache_clear()


def test_without_a_file_each_lineage_is_its_own(file: Path) -> None:
    assert read_probes(file) == []
    assert representative("a", "cpu") == "a"


def test_the_earliest_lineage_stands_for_all(file: Path) -> None:
    add_probe(probe("1", train=("a", "b"), tables=("t", "u")), file)
    add_probe(probe("2", train=("b", "c")), file)
    add_probe(probe("3", train=("d", "e")), file)
    add_probe(probe("4", train=("e", "c")), file)
    assert {representative(each, "cpu") for each in "abcde"} == {"a"}
    assert representative("u", None) == "t"
    assert representative("x", "cpu") == "x"


def test_a_probe_takes_the_place_of_that_of_its_commit(file: Path) -> None:
    add_probe(probe("1", train=("a", "b")), file)
    add_probe(probe("1", train=("a", "c")), file)
    (kept,) = read_probes(file)
    assert kept.lineages == {"quick": {"train": ("a", "c")}}
    assert representative("b", "cpu") == "b"
    assert representative("c", "cpu") == "a"
    assert file.read_text().count("\n") < 20  # a line for each job


def test_a_probe_speaks_for_its_device(file: Path) -> None:
    add_probe(probe("1", train=("a", "b")), file)
    assert [representative("b", device) for device in ("cpu", "cuda", None)] == ["a", "b", "a"]
    add_probe(probe("1", "cuda", train=("a", "b")), file)
    assert representative("b", "cuda") == "a"
    assert len(read_probes(file)) == 2


@pytest.mark.parametrize(
    "text", ["", "{}", "[1]", '[{"commit": "1"}]', json.dumps([{**probe("1").model_dump(), "x": 1}])]
)
def test_a_malformed_file_is_named(file: Path, text: str) -> None:
    file.write_text(text)
    with pytest.raises(FernnError, match=r"equivalent\.json: expected a list of probes"):
        read_probes(file)


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
