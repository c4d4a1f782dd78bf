"""`fernn claims FOLDER`: the verdicts of an unpacked archive, here the evidence that the repository keeps."""

import json
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
from fernn.files import sha256
from fernn.layout import Layout
from fernn.params import Params
from fernn.pipeline.archive import METADATA
from fernn.pipeline.verdicts import judge_archive, without_data
from fernn.provenance.records import read_record, write_record
from tests.kept import everything

EVIDENCE = Path("evidence/small")
SCALE = Path("results/small")
RUN = "translation/V2T/FERNN-V2T/lr0.002/seed1"
EVALUATION = f"{SCALE}/evaluations/{RUN}/results.csv"


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


@pytest.mark.parametrize(
    ("name", "damage", "said"),
    [
        (EVALUATION, "changed", rf"1 files do not have the size .*lists:\n  {EVALUATION}\nUnpack the archive again"),
        (EVALUATION, "removed", rf"{EVALUATION} is missing, or does not have the sha256 that its record states"),
        ("params.yaml", "changed", r"1 files do not have the size and sha256 .*lists:\n  params\.yaml\n"),
        ("params.yaml", "removed", r"1 files do not have the size and sha256 .*lists:\n  params\.yaml\n"),
    ],
)
def test_a_corrupt_file_is_named(name: str, damage: str, said: str, archive: Path) -> None:
    file = archive / name
    if damage == "changed":
        file.write_text(file.read_text() + "# a comment\n")
    else:
        file.unlink()
    with pytest.raises(FernnError, match=said):
        judge_archive(archive)


def test_an_altered_evaluation_does_not_count_with_a_record_that_matches(archive: Path) -> None:
    file = archive / EVALUATION
    file.write_text(file.read_text().replace("0.00", "0.01", 1))
    path = file.with_name("record.json")
    record = read_record(path)
    assert record
    write_record(path, record.model_copy(update={"outputs": record.outputs | {EVALUATION: sha256(file)}}))
    with pytest.raises(FernnError, match=rf"2 files do not have the size and sha256 .*lists:(.|\n)*  {EVALUATION}\n"):
        judge_archive(archive)


def test_a_listed_file_that_differs_from_its_record_is_named(archive: Path) -> None:
    file, path = archive / EVALUATION, archive / METADATA
    old = sha256(file)
    file.write_text(file.read_text().replace("0.00", "0.01", 1))
    path.write_text(path.read_text().replace(old, sha256(file)))
    with pytest.raises(FernnError, match=f"{EVALUATION} is missing, or does not have the sha256 that its record"):
        judge_archive(archive)


def _unlist(archive: Path, run: str) -> None:
    """Remove a run from the metadata, as if it had been put into the folder later."""
    path = archive / METADATA
    content = json.loads(path.read_text())
    content["@graph"] = [each for each in content["@graph"] if run not in each["@id"]]
    path.write_text(json.dumps(content))


def test_a_run_that_was_added_is_named(archive: Path) -> None:
    _unlist(archive, RUN)
    with pytest.raises(FernnError, match=rf"(?s)5 files are not listed in {METADATA}.*/{RUN}/.*Remove them"):
        judge_archive(archive)
    for kind in ("runs", "evaluations"):
        shutil.rmtree(archive / SCALE / kind / RUN)
    assert "FERNN-V2T on V2T is not finished" in {each.reason for each in judge_archive(archive)[1]}


def test_a_link_to_a_run_elsewhere_is_named(archive: Path, tmp_path: Path) -> None:
    _unlist(archive, f"runs/{RUN}")
    run = archive / SCALE / "runs" / RUN
    run.rename(tmp_path / "elsewhere")
    run.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(FernnError, match=rf"1 files are not listed in {METADATA}, .*:\n  {SCALE}/runs/{RUN}\n"):
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
