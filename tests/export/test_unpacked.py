"""An unpacked archive is verified against its records and against the current params and code."""

from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from typer.testing import CliRunner

from fernn.cli import app
from fernn.errors import FernnError
from fernn.pipeline.archive import METADATA, files_of
from fernn.pipeline.audit import Audit
from fernn.pipeline.verdicts import judge_archive
from fernn.pipeline.verify import verify_archive
from fernn.results.claims.claim import Exact
from fernn.results.claims.judge import Verdict
from tests.export.conftest import Made

RUN = "translation/V2T/G-RNN/lr0.005/seed0"
TABLE = "results/tiny/tables/table1.md"


@pytest.fixture
def unpacked(made: Made, tmp_path: Path) -> Path:
    """The folder; the present one is that of the project, whose results are gone."""
    folder = tmp_path / "unpacked"
    with ZipFile(made.export(without=("samples.safetensors", "dvc.yaml"))) as archive:
        archive.extractall(folder)
    Path("results/tiny").rename(tmp_path / "gone")
    return folder


def verify(folder: Path) -> tuple[int, str]:
    ended = CliRunner().invoke(app, ["verify", str(folder), "--params", "params.yaml"])
    return ended.exit_code, ended.output


def test_what_it_came_without_is_not_missed(unpacked: Path) -> None:
    assert not list(unpacked.rglob("samples.safetensors"))
    assert not list(unpacked.rglob("dvc.yaml"))
    assert list(unpacked.rglob("model.safetensors"))
    assert not list(unpacked.rglob("datasets/**/*.safetensors"))
    status, said = verify(unpacked)
    records = list((unpacked / "results").rglob("*record.json"))
    assert (status, said.splitlines()[-1]) == (0, f"{len(records)} results: {len(records)} up to date.")
    assert f"up to date: evaluate {RUN}" in said


def test_an_archive_can_be_made_where_its_files_left_out_are_missing(made: Made) -> None:
    whole = made.export(without=("samples.safetensors",)).read_bytes()
    for samples in Path("results").rglob("samples.safetensors"):
        samples.unlink()
    (job,) = made.jobs.of("tables").values()
    assert Audit(made.jobs).problems(job) == {}  # nor do tables need samples
    assert made.export(without=("samples.safetensors",)).read_bytes() == whole
    with pytest.raises(FernnError, match=r"samples\.safetensors is missing"):
        made.export()


@pytest.mark.parametrize("pattern", ["Snakefile", "*.yaml"])
def test_what_no_archive_can_be_without_is_named(made: Made, pattern: str) -> None:
    with pytest.raises(FernnError, match=r"cannot be without (Snakefile|params\.yaml)"):
        made.export(without=(pattern,))


def test_readers_may_be_spared_the_readme(made: Made) -> None:
    with ZipFile(made.export(without=("README.md",))) as archive:
        assert "README.md" not in archive.namelist()


def test_what_was_packed_by_force_is_no_finished_run(made: Made, tmp_path: Path) -> None:
    def longer(content: dict[str, Any]) -> None:
        for experiment in ("translation", "rotation", "kth"):
            content["scales"]["tiny"][experiment]["training"]["epochs"] = 5

    made.edit(longer)
    with ZipFile(made.export(force=True)) as archive:
        archive.extractall(tmp_path / "unpacked")
    _, judgements = judge_archive(tmp_path / "unpacked")
    assert {each.verdict for each in judgements if not isinstance(each.claim, Exact)} == {Verdict.NOT_RUN}
    assert "G-RNN on V2T is not finished" in {each.reason for each in judgements}


def test_what_was_lost_or_changed_since_is_named(unpacked: Path) -> None:
    (unpacked / "results/tiny/runs" / RUN / "metrics.csv").unlink()
    (unpacked / TABLE).write_text("otherwise")
    status, said = verify(unpacked)
    assert status == 1
    assert f"missing: train {RUN}\n  results/tiny/runs/{RUN}/metrics.csv is missing\n" in said
    assert f"{TABLE} is not what was written" in said


def test_it_is_held_against_the_params_of_today(made: Made, unpacked: Path) -> None:
    made.edit(lambda content: content["scales"]["tiny"]["translation"]["training"].update(epochs=5))
    status, said = verify(unpacked)
    assert status == 1
    assert f"outdated: train {RUN}\n  input " in said
    assert "training.epochs 4 then, 5 now" in said
    assert "up to date: dataset translation/digits" in said


def test_it_cannot_be_rebuilt(unpacked: Path) -> None:
    with pytest.raises(FernnError, match="without its data sets"):
        verify_archive(unpacked, Path("params.yaml"), again=True)


def test_folders_that_are_no_archive(unpacked: Path) -> None:
    assert files_of(unpacked / "results/tiny") is None
    (unpacked / METADATA).write_text("{}")
    with pytest.raises(FernnError, match="no description of an archive"):
        files_of(unpacked)
