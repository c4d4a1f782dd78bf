"""One truth about a result, its record: what once passed in silence, and what must not run again."""

import os
import time
from pathlib import Path
from typing import Any

from fernn.provenance.records import read_record

from .conftest import Clone, Project
from .test_dag import GRNN, REPORT, V1, V1_SLOW, run_and_after
from .test_damage import flip

RUN = f"{GRNN}/seed0"
EVALUATION = Path("results/micro/evaluations") / RUN


def wider(scale: dict[str, Any]) -> None:
    scale["translation"]["architecture"]["hidden_channels"] = 3


def test_results_made_by_hand_before_any_snakemake(fresh: Project) -> None:
    fresh.edit_params(lambda scale: scale["translation"]["runs"].pop(0))
    for part in ("digits", "validation-V1T", "velocity-V0T", "trivial-velocity-V0T"):
        assert fresh.fernn("dataset", f"translation/{part}").returncode == 0
    for command in (("train", f"{V1_SLOW}/seed0"), ("evaluate", f"{V1_SLOW}/seed0"), ("tables",)):
        assert fresh.fernn(*command).returncode == 0
    # they are results like any others
    assert fresh.planned() == {"Drawing the figures", "Composing the report"}
    fresh.edit_params(wider)
    assert fresh.planned() == run_and_after(f"{V1_SLOW}/seed0")


def test_params_edited_while_a_workflow_runs(finished: Project, fresh: Project) -> None:
    before = (fresh.folder / "params.yaml").read_bytes()
    said = fresh.folder / "said"
    under_way = fresh.start("snakemake", "--cores", "1", "--config", "scale=micro", "--", "runs", log=said)
    patience = time.monotonic() + 600
    while not list(fresh.folder.glob("results/micro/datasets/**/*.safetensors")):
        assert under_way.poll() is None
        assert time.monotonic() < patience
        time.sleep(0.02)
    fresh.edit_params(wider)
    assert under_way.wait() != 0
    assert "params.yaml or the library was edited since the workflow started" in said.read_text()
    assert not list(fresh.folder.glob("results/micro/runs/**/model.safetensors"))
    # and edited back
    (fresh.folder / "params.yaml").write_bytes(before)
    fresh.makes("--", "runs")
    models = [f"runs/{run}/seed0/model.safetensors" for run in (GRNN, V1, V1_SLOW)]
    assert [fresh.read(model) for model in models] == [finished.read(model) for model in models]


def test_an_evaluation_by_code_that_was_edited_back(pulled: Clone) -> None:
    before = pulled.results()
    storage = pulled.folder / "fernn/models/storage.py"
    text = storage.read_text()
    scaled = "load_state_dict({name: 1.01 * value for name, value in weights.items()})"
    storage.write_text(text.replace("load_state_dict(weights)", scaled))
    # how a model is read belongs to what made the model too
    refused = pulled.fernn("evaluate", RUN)
    assert refused.returncode == 1
    assert f"runs/{RUN}/model.safetensors is outdated: input code" in refused.stderr
    pulled.must("snakemake", "--cores", "1", "--config", "scale=micro", "--", f"{EVALUATION}/results.csv")
    assert pulled.results() != before
    storage.write_text(text)
    assert {f"Training {RUN}", f"Evaluating {RUN}"} | REPORT <= pulled.planned()
    assert not pulled.up_to_date()
    assert pulled.run("fernn", "verify", str(EVALUATION)).returncode == 1
    pulled.makes()
    assert pulled.results() == before


def test_a_stage_by_hand_reads_no_damaged_model(project: Project) -> None:
    before = (project.folder / EVALUATION / "results.csv").read_bytes()
    flip(project.folder / f"results/micro/runs/{RUN}/model.safetensors")
    (project.folder / EVALUATION / "record.json").unlink()
    ended = project.fernn("evaluate", RUN)
    assert ended.returncode == 1
    assert f"runs/{RUN}/model.safetensors is corrupt" in ended.stderr
    assert (project.folder / EVALUATION / "results.csv").read_bytes() == before


def test_a_stage_by_hand_reads_no_data_of_other_params(project: Project) -> None:
    project.edit_params(lambda scale: scale["translation"]["data"].update(digit=14))
    ended = project.fernn("train", RUN)
    assert ended.returncode == 1
    assert "datasets/translation/digits.safetensors is outdated: input digit 7 then, 14 now" in ended.stderr
    advice = "snakemake results/micro/datasets/translation/digits.safetensors --cores all --config scale=micro"
    assert advice in ended.stderr


def test_a_trained_run_of_other_params_is_set_aside(project: Project) -> None:
    model = project.folder / f"results/micro/runs/{RUN}/model.safetensors"
    before, record = model.read_bytes(), read_record(model.with_name("record.json"))
    assert record
    project.edit_params(wider)
    ended = project.fernn("train", RUN)
    assert ended.returncode == 0, ended.stderr
    aside = project.folder / f"results/micro/superseded/{RUN}/{record.lineage}"
    assert f"{aside.relative_to(project.folder)}" in ended.stderr
    assert (aside / "model.safetensors").read_bytes() == before
    assert sorted(path.name for path in aside.iterdir()) == ["metrics.csv", "model.safetensors", "record.json"]
    assert model.read_bytes() != before
    told = project.run("fernn", "verify", "results/micro", "results/micro/superseded").stdout.splitlines()
    assert len([line for line in told if f"train {RUN}" in line]) == 2
    told = project.run("fernn", "verify", "results/micro").stdout.splitlines()  # it is no result of today
    assert len([line for line in told if f"train {RUN}" in line]) == 1
    assert str(aside.relative_to(project.folder) / "model.safetensors") in project.fernn("prune").stdout


def test_a_clock_that_was_ahead(project: Project) -> None:
    """Files with a future time are rebuilt if their params differ."""
    future, results = time.time() + 1e6, project.folder / "results/micro"
    again = ("evaluations/translation/V2T/**/*.*", "tables/*", "figures/*", "datasets/translation/test-V2T.*")
    for path in (path for pattern in again for path in results.glob(pattern)):
        os.utime(path, (future, future))
    assert project.planned() == set()
    project.edit_params(lambda scale: scale["translation"]["data"].update(test=5))
    data = {f"Data set translation/{part}-V2T" for part in ("test", "trivial-test")}
    wanted = data | {f"Evaluating {GRNN}/seed0", f"Evaluating {V1}/seed0"} | REPORT
    assert project.planned() == wanted
    project.makes()
    assert project.planned() == set()
