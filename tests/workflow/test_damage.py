"""A wrong artifact is noticed, wherever it was damaged, and nothing is made of it."""

import os
from base64 import urlsafe_b64encode
from pathlib import Path

from .conftest import Clone
from .test_dag import GRNN, V1_SLOW

EVALUATION = f"evaluations/{GRNN}/seed0/results.csv"
# none is made of another: what is made of damaged files counts as outdated, not as damaged
FILES = [
    EVALUATION,
    "datasets/translation/trivial-test-V2T.safetensors",
    f"runs/{V1_SLOW}/seed0/model.safetensors",
    f"runs/{V1_SLOW}/seed0/metrics.csv",
]


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


def refuses(clone: Clone, *names: str) -> None:
    """Snakemake ends before it makes a table, by hand and under DVC, and names the files."""
    table = clone.folder / "results/micro/tables/table1.md"
    table.unlink(missing_ok=True)
    for ended in (clone.snakemake(), clone.run("dvc", "repro", "--force", "--single-item", "tables@micro")):
        assert ended.returncode != 0
        said = ended.stdout + ended.stderr
        assert f"files that are not what their jobs wrote: {len(names)}" in said
        assert all(f"results/micro/{name}" in said for name in names)
        assert "dvc checkout --force" in said
    assert not table.exists()


def test_what_a_killed_snakemake_left_half_made(pulled: Clone) -> None:
    """Snakemake marks what it starts; files that a kill left marked are rebuilt."""
    assert pulled.planned() == set()
    name = urlsafe_b64encode(b"results/micro/tables/table1.csv").decode()
    (pulled.folder / ".snakemake/incomplete").mkdir(parents=True, exist_ok=True)
    (pulled.folder / ".snakemake/incomplete" / name).write_text("{}")
    assert "Unlock" in pulled.makes("--unlock")
    assert pulled.planned() == {"Writing the tables"}
    before = pulled.results()
    pulled.makes()
    assert pulled.results() == before
    assert pulled.planned() == set()


def test_in_the_workspace(pulled: Clone) -> None:
    assert pulled.up_to_date()  # DVC now knows each file's time
    lock = (pulled.folder / "dvc.lock").read_bytes()
    flip(pulled.folder / "results/micro/tables/table1.csv", keep_time=True)
    assert pulled.up_to_date()  # DVC goes by the time; Snakemake here does not
    refuses(pulled, "tables/table1.csv")
    for name in FILES:
        flip(pulled.folder / "results/micro" / name)
    assert not pulled.up_to_date()
    refuses(pulled, *FILES)
    assert (pulled.folder / "dvc.lock").read_bytes() == lock


def test_in_the_cache(pulled: Clone) -> None:
    before = pulled.results()
    digest = pulled.must("md5sum", f"results/micro/{EVALUATION}").split()[0]
    flip(pulled.folder / ".dvc/cache/files/md5" / digest[:2] / digest[2:], keep_time=True)
    pulled.must("rm", "-r", "results")
    pulled.dvc("checkout")  # DVC trusts its cache
    refuses(pulled, EVALUATION)
    # what the message says
    pulled.must("rm", "-r", "results", ".dvc/cache")
    pulled.dvc("pull")
    assert pulled.planned() == set()
    assert pulled.results() == before


def test_in_the_remote(clone: Clone, origin: Clone) -> None:
    digest = origin.must("md5sum", f"results/micro/{EVALUATION}").split()[0]
    flip(clone.folder / "artifacts/files/md5" / digest[:2] / digest[2:])
    assert clone.run("dvc", "pull").returncode != 0
    assert not (clone.folder / "results/micro" / EVALUATION).exists()


def test_a_damaged_record(pulled: Clone) -> None:
    record = pulled.folder / f"results/micro/runs/{GRNN}/seed0/record.json"
    text = record.read_text()
    record.chmod(0o644)
    record.write_text(text.replace('"python": "3', '"python": "4'))
    ended = pulled.snakemake()
    assert ended.returncode != 0
    assert f"{GRNN}/seed0/record.json is no record of this version, or corrupt" in ended.stdout + ended.stderr
    record.unlink()
    assert f"Training {GRNN}/seed0" in pulled.planned()
