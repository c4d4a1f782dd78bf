"""Lineages that are known to make the same bytes."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from fernn.errors import FernnError
from fernn.provenance import lineages
from fernn.provenance.lineages import Probe, add_probe, read_probes, representative


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
