"""`fernn claims FOLDER`: the verdicts of an unpacked archive, here the evidence that the repository keeps."""

import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from fernn.cli import app
from fernn.errors import FernnError
from fernn.experiments import load_params
from fernn.experiments.kth.experiment import EXPERIMENT as KTH
from fernn.judging import judge_archive, without_data
from fernn.layout import Layout
from fernn.params import Params
from tests.kept import everything

EVIDENCE = Path("evidence/small")
SCALE = Path("results/small")


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    folder = tmp_path / "archive"
    for name, file in everything():
        if EVIDENCE in Path(name).parents:
            copy = folder / Path(name).relative_to(EVIDENCE)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, copy)
    return folder


def test_the_verdicts_are_those_that_it_came_with(archive: Path) -> None:
    """By code of today; runs are of an earlier one, and their samples were left out."""
    told = CliRunner().invoke(app, ["claims", str(archive)])
    assert told.exit_code == 0, told.output
    (counts,) = re.findall(r"^\d+ claims: .*$", (archive / SCALE / "tables/claims.md").read_text(), re.MULTILINE)
    assert counts in told.output
    assert "Claims, scale small" in told.output


def test_a_run_that_it_does_not_hold_is_not_run(archive: Path) -> None:
    shutil.rmtree(archive / SCALE / "runs/translation/V2T/FERNN-V1T/lr0.002/seed0")
    _, judgements = judge_archive(archive, "small")
    assert "FERNN-V1T on V2T is not finished" in {each.reason for each in judgements}


@pytest.mark.parametrize("damage", ["changed", "removed"])
def test_a_damaged_file_is_named(damage: str, archive: Path) -> None:
    file = archive / SCALE / "evaluations/translation/V2T/FERNN-V2T/lr0.002/seed1/evaluation.json"
    if damage == "changed":
        file.write_text(file.read_text().replace("0.00", "0.01", 1))
    else:
        file.unlink()
    with pytest.raises(FernnError, match=rf"{re.escape(str(file))} is missing, or not what its record tells"):
        judge_archive(archive)


def test_what_only_a_data_set_would_tell_is_not_judged() -> None:
    def barred(params: Params, layout: Layout) -> str:
        raise FernnError(f"{layout.scale}/frames is missing. `fernn dataset kth/frames` makes it.")

    why = "an archive comes without its data sets"
    evidence = without_data(replace(KTH.evidence, barred=barred), why)
    said = evidence.barred(load_params("params.yaml", "quick"), Layout("quick"))
    assert said == "an archive comes without its data sets: quick/frames is missing"
    allowed = without_data(replace(KTH.evidence, barred=lambda params, layout: ""), why)
    assert allowed.barred(load_params("params.yaml", "quick"), Layout("quick")) == ""


def test_another_scale_or_folder(archive: Path, tmp_path: Path) -> None:
    with pytest.raises(FernnError, match=r"expected results of quick; found those of \['small'\]"):
        judge_archive(archive, "quick")
    with pytest.raises(FernnError, match="no unpacked archive of `fernn export`"):
        judge_archive(tmp_path)
