"""A wrong artifact is noticed, wherever it was damaged, and nothing is made of it."""

import os
from base64 import urlsafe_b64encode
from pathlib import Path

import pytest

from .conftest import Clone
from .test_dag import GRNN

FILES = {
    "data set": "datasets/translation/digits.safetensors",
    "model": f"runs/{GRNN}/seed0/model.safetensors",
    "losses": f"runs/{GRNN}/seed0/metrics.csv",
    "evaluation": f"evaluations/{GRNN}/seed0/results.csv",
    "table": "tables/table1.csv",
}


def flip(path: Path, keep_time: bool = False) -> None:
    """Flip one bit in the middle of a file, behind its back: links and modes stay, and its time if wanted."""
    found = path.stat()
    path.chmod(0o644)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    path.chmod(found.st_mode)
    if keep_time:
        os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))


def refuses(clone: Clone, name: str) -> None:
    """Snakemake ends before it makes a table, by hand and under DVC, and names the file."""
    for ended in (clone.snakemake(), clone.run("dvc", "repro", "--force", "--single-item", "tables@micro")):
        assert ended.returncode != 0
        said = ended.stdout + ended.stderr
        assert "files that are not what their jobs wrote: 1" in said
        assert f"results/micro/{name}" in said
        assert "dvc checkout --force" in said


def test_what_a_killed_snakemake_left_half_made(pulled: Clone) -> None:
    """Snakemake marks what it begins; what a kill left marked is made again."""
    assert pulled.planned() == set()
    name = urlsafe_b64encode(b"results/micro/tables/table1.csv").decode()
    (pulled.folder / ".snakemake/incomplete").mkdir(parents=True, exist_ok=True)
    (pulled.folder / ".snakemake/incomplete" / name).write_text("{}")
    assert pulled.snakemake("--unlock").returncode == 0
    assert pulled.planned() == {"Writing the tables"}
    before = pulled.results()
    assert pulled.snakemake().returncode == 0
    assert pulled.results() == before
    assert pulled.planned() == set()


@pytest.mark.parametrize("name", FILES.values(), ids=FILES)
def test_in_the_workspace(pulled: Clone, name: str) -> None:
    keep_time = name == FILES["evaluation"]
    assert pulled.up_to_date()  # DVC now knows each file's time
    flip(pulled.folder / "results/micro" / name, keep_time)
    assert pulled.up_to_date() == keep_time  # DVC goes by the time; Snakemake here does not
    table = pulled.folder / "results/micro/tables/table1.md"
    table.unlink()
    lock = (pulled.folder / "dvc.lock").read_bytes()
    refuses(pulled, name)
    assert not table.exists()
    assert (pulled.folder / "dvc.lock").read_bytes() == lock


def test_in_the_cache(pulled: Clone) -> None:
    name = FILES["evaluation"]
    before = pulled.results()
    digest = pulled.must("md5sum", f"results/micro/{name}").split()[0]
    flip(pulled.folder / ".dvc/cache/files/md5" / digest[:2] / digest[2:], keep_time=True)
    pulled.must("rm", "-r", "results")
    pulled.dvc("checkout")  # DVC trusts its cache
    (pulled.folder / "results/micro/tables/table1.md").unlink()
    refuses(pulled, name)
    assert not (pulled.folder / "results/micro/tables/table1.md").exists()
    # what the message says
    pulled.must("rm", "-r", "results", ".dvc/cache")
    pulled.dvc("pull")
    assert pulled.planned() == set()
    assert pulled.results() == before


def test_in_the_remote(clone: Clone, origin: Clone) -> None:
    digest = origin.must("md5sum", f"results/micro/{FILES['evaluation']}").split()[0]
    flip(clone.folder / "artifacts/files/md5" / digest[:2] / digest[2:])
    assert clone.run("dvc", "pull").returncode != 0
    assert not (clone.folder / "results/micro" / FILES["evaluation"]).exists()


@pytest.mark.parametrize("cut", [False, True])
def test_a_damaged_record(pulled: Clone, cut: bool) -> None:
    record = pulled.folder / f"results/micro/runs/{GRNN}/seed0/record.json"
    if cut:
        record.chmod(0o644)
        record.write_bytes(record.read_bytes()[:-100])
    else:
        text = record.read_text()
        record.chmod(0o644)
        record.write_text(text.replace('"python": "3', '"python": "4'))
    ended = pulled.snakemake()
    assert ended.returncode != 0
    assert f"{GRNN}/seed0/record.json is no record of this version, or corrupt" in ended.stdout + ended.stderr
    record.unlink()
    assert f"Training {GRNN}/seed0" in pulled.planned()
