"""What the archive holds and tells, of made-up results whose files and records a test knows."""

import hashlib
import os
from pathlib import Path
from typing import Any
from urllib.parse import unquote
from zipfile import ZIP_STORED, ZipFile

import pytest

from fernn.errors import FernnError
from fernn.pipeline.export.archive import METADATA
from fernn.pipeline.export.contents import gather
from fernn.provenance.records import read_record
from tests.export.conftest import Made, graph

CC_BY_SA = {"@id": "https://creativecommons.org/licenses/by-sa/3.0/"}


def ids(value: Any) -> set[str]:
    """The ids that a property names."""
    return {each["@id"] for each in (value if isinstance(value, list) else [value])}


def is_file(entity: dict[str, Any]) -> bool:
    return "File" in entity["@type"]


def test_each_file_is_in_the_metadata_with_its_digest_and_size(made: Made) -> None:
    archive = made.export()
    told = {unquote(id): entity for id, entity in graph(archive).items() if is_file(entity)}
    with ZipFile(archive) as file:
        assert set(told) == set(file.namelist()) - {METADATA}
        for name, entity in told.items():
            content = file.read(name)
            assert entity["sha256"] == hashlib.sha256(content).hexdigest()
            assert entity["contentSize"] == str(len(content))
            assert content == Path(name).read_bytes()


def test_each_record_is_an_action_with_its_digests(made: Made) -> None:
    entities = graph(made.export())
    actions = {id for id, entity in entities.items() if entity["@type"] == "CreateAction"}
    jobs = made.jobs.all.values()
    assert actions == {"#run", *(f"#{job.stage}/{job.name}".rstrip("/") for job in jobs)}
    for job in jobs:
        record, action = read_record(job.record), entities[f"#{job.stage}/{job.name}".rstrip("/")]
        assert record
        for key, digests in (("object", record.read_files), ("result", record.outputs)):
            told = [entities[id] for id in (ids(action[key]) if digests else set())]
            found = {each["name"]: each.get("sha256", each.get("identifier")) for each in told}
            assert found == digests
        assert action["startTime"] == record.started.replace("Z", "+00:00")
        assert action["endTime"] == record.ended.replace("Z", "+00:00")
        facts = {entities[id]["name"]: entities[id]["value"] for id in ids(action["additionalProperty"])}
        # without the name of the host
        expected = {"packages.fernn": "0.1.0", "packages.numpy": "2.4.6"}
        assert facts == {"python": "3.11.2", "device": "A processor", **expected}
        assert ids(action["subjectOf"]) == {job.record.as_posix().replace("+", "%2B")}


def test_the_run_has_all_results_and_the_params(made: Made) -> None:
    entities = graph(made.export())
    run = entities["#run"]
    wanted = {path for job in made.jobs.all.values() if job.stage not in ("standins", "dataset") for path in job.writes}
    assert {entities[id]["name"] for id in ids(run["result"])} == {path.as_posix() for path in wanted}
    assert ids(run["object"]) == {"params.yaml", "#scale/tiny"}
    assert ids(run["instrument"]) == ids(entities["./"]["mainEntity"]) == {"Snakefile"}
    assert entities["Snakefile"]["programmingLanguage"] == {
        "@id": "https://w3id.org/workflowhub/workflow-ro-crate#snakemake"
    }
    assert entities["./"]["citation"] == {"@id": "https://doi.org/10.48550/arXiv.2507.14793"}


def test_data_sets_stay_out_and_their_records_go_in(made: Made) -> None:
    with ZipFile(made.export()) as file:
        names = [
            name for name in file.namelist() if name.startswith(("results/tiny/datasets", "results/tiny/standins"))
        ]
    records = [job.record.as_posix() for job in made.jobs.all.values() if job.stage in ("standins", "dataset")]
    assert sorted(names) == sorted(records)


def test_pictures_of_digits_are_under_their_own_terms(made: Made) -> None:
    entities = graph(made.export())
    licences = {id: entity.get("license") for id, entity in entities.items() if is_file(entity)}
    of_digits = {id for id, licence in licences.items() if licence == CC_BY_SA}
    for id in ("translation/V2T/G-RNN", "rotation/V4R/FERNN-V2R"):
        assert sum(f"evaluations/{id}" in name for name in of_digits) == 1  # samples, not measures
    assert {id for id in licences if id.startswith("resources/mnist-subset") and id.endswith("gz")} <= of_digits
    assert not any("/kth/" in name or "/runs/" in name or "/tables/" in name for name in of_digits)
    assert entities["./"]["license"] == {"@id": "https://spdx.org/licenses/MIT"}
    assert "#kth-terms" not in entities


def test_frames_of_the_kth_originals_are_not_passed_on(made: Made) -> None:
    made.edit(lambda content: content["scales"]["tiny"]["kth"]["source"].update(stand_ins=None))
    made.make()
    archive = made.export()
    entities = graph(archive)
    with ZipFile(archive) as file:
        samples = [name for name in file.namelist() if name.endswith("samples.safetensors")]
    assert len(samples) == 2 and not any("kth" in name for name in samples)
    (left_out,) = [
        entity
        for id, entity in entities.items()
        if id.startswith("#") and id.endswith("samples.safetensors") and "kth" in id
    ]
    assert left_out["sha256"]
    (figure,) = [entity for id, entity in entities.items() if id.endswith("kth-V2T-clips.png")]
    assert "#kth-terms" in ids(figure["license"])


def test_the_same_results_give_the_same_bytes(made: Made, tmp_path: Path) -> None:
    first = made.export(tmp_path / "first.zip").read_bytes()
    for path in Path().rglob("*"):
        if path.is_file() and not path.is_symlink() and "resources" not in path.parts:
            os.utime(path, (1, 1))
    assert made.export(tmp_path / "elsewhere" / "second.zip").read_bytes() == first


def test_names_are_sorted_and_times_are_those_of_the_records(made: Made) -> None:
    with ZipFile(made.export()) as file:
        entries = file.infolist()
    names = [entry.filename for entry in entries if entry.filename != METADATA]
    assert names == sorted(names)
    assert {entry.compress_type for entry in entries} == {ZIP_STORED}
    times = {entry.filename: entry.date_time for entry in entries}
    last = len(made.jobs.all) - 1
    assert times["results/tiny/report.record.json"] == times["Snakefile"] == (2026, 1, 1, last, 30, 0)
    assert times["results/tiny/tables/selection.csv"] == (2026, 1, 1, last - 2, 30, 0)


def test_a_scale_without_results_is_refused(made: Made) -> None:
    for job in made.jobs.all.values():
        job.record.unlink()
    for force in (False, True):
        with pytest.raises(FernnError, match=r"(?s)results/tiny holds no results.*snakemake.*scale=tiny.*dvc pull"):
            made.export(force=force)
    assert not list(Path("results").glob("*.zip"))


def damage(made: Made) -> str:
    made.jobs.layout.table("selection.csv").write_text("other numbers")
    return "tables is corrupt: results/tiny/tables/selection.csv is not what was written"


def remove(made: Made) -> str:
    made.jobs.layout.table("selection.csv").unlink()
    return "tables is missing: results/tiny/tables/selection.csv is missing"


def change(made: Made) -> str:
    made.edit(lambda content: content["scales"]["tiny"]["translation"]["training"].update(epochs=99))
    return "train translation/V2T/G-RNN/lr0.005/seed0 is outdated: input epochs"


def forget(made: Made) -> str:
    made.jobs.find("tables").record.unlink()
    return "tables is outdated: no record says where"


@pytest.mark.parametrize("spoil", [damage, remove, change, forget])
def test_results_not_up_to_date_are_refused_or_told_of(made: Made, spoil: Any) -> None:
    wrong = spoil(made)
    with pytest.raises(FernnError) as raised:
        made.export()
    assert wrong in str(raised.value)
    assert "--force" in str(raised.value)
    assert not list(Path("results").glob("*.zip"))
    archive = made.export(force=True)
    root = graph(archive)["./"]
    assert root["creativeWorkStatus"] == "Not up to date"
    assert "NOT UP TO DATE" in root["description"] and wrong in root["description"]


def test_a_damaged_file_is_not_taken_for_the_one_of_its_record(made: Made) -> None:
    written = read_record(made.jobs.find("tables").record)
    assert written
    damage(made)
    entities = graph(made.export(force=True))
    name = made.jobs.layout.table("selection.csv").as_posix()
    assert entities[name]["creativeWorkStatus"].startswith("corrupt")
    assert entities[name]["sha256"] == hashlib.sha256(b"other numbers").hexdigest()
    (told,) = [entities[id] for id in ids(entities["#tables"]["result"]) if entities[id]["name"] == name]
    assert told["@id"] != name
    assert told["sha256"] == written.outputs[name]


def test_a_file_that_changes_while_it_is_packed_is_an_error(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    before = made.export().read_bytes()
    taken = gather(made.jobs, Path("params.yaml"))
    made.jobs.layout.table("selection.csv").write_text("later")
    monkeypatch.setattr("fernn.pipeline.export.crate.gather", lambda *_: taken)
    with pytest.raises(FernnError, match=r"selection.csv changed while it was packed"):
        made.export()
    assert [path.read_bytes() for path in Path("results").glob("*") if path.is_file()] == [before]


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, r"CITATION.cff: no such file here.*project's folder"), ("title: only\n", r"lacks abstract, authors")],
)
def test_without_what_describes_the_workflow(made: Made, content: str | None, said: str) -> None:
    path = Path("CITATION.cff")
    path.write_text(content) if content else path.unlink()
    with pytest.raises(FernnError, match=said):
        made.export()
