"""What users wait for, and steps in processes of their own. How long it takes is not a matter of tests."""

import os
from pathlib import Path

import pytest
import torch

from benchmarks import alone, waits
from benchmarks.report import Options
from fernn.experiments import load_params

MAKE = """#!/bin/sh
echo "Using workflow specific profile"
echo "109 jobs to do: 28 dataset"
for part in train evaluate; do
  file=results/quick/benchmarks/$part/RUN.tsv
  mkdir -p "$(dirname $file)"
  printf 's\\th:m:s\\n%s\\t0:01:00\\n' 60.5 > $file
done
"""


def options(root: Path, scale: str) -> Options:
    return Options(load_params(root / "params.yaml", scale), torch.device("cpu"), 1, 1, lambda line: None)


@pytest.fixture
def clone(root, tmp_path, monkeypatch) -> Path:
    """Where a stand-in of make is found first."""
    run = waits._longest(load_params(root / "params.yaml", "quick"))
    assert run.model == "FERNN-V2T"
    (tmp_path / "make").write_text(MAKE.replace("RUN", run.id))
    (tmp_path / "make").chmod(0o755)
    monkeypatch.setattr(
        waits, "_environment", lambda: {**os.environ, "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}
    )
    (tmp_path / "params.yaml").symlink_to(root / "params.yaml")
    return tmp_path


def test_the_demo_is_told_with_its_jobs(root, clone):
    rows = {row[0]: row[1:] for row in waits._demo(options(root, "paper"), clone)}
    assert rows["`make demo`"][1] == "109 jobs, set-up included"
    (training,) = (row for name, row in rows.items() if name.startswith("training translation/V2T/FERNN-V2T"))
    assert training[0] == "60.50 s"
    epochs = load_params(root / "params.yaml", "quick").translation.training.epochs
    assert training[1].startswith(f"{epochs} epochs; an epoch is {60.5 / epochs:.2f} s")


def test_a_demo_that_fails_is_no_figure(root, clone):
    (clone / "make").write_text("#!/bin/sh\necho no disk\nexit 3\n")
    with pytest.raises(waits.FernnError, match="make demo failed in a fresh clone: no disk"):
        waits._demo(options(root, "paper"), clone)


@pytest.mark.slow
def test_both_ways_in_processes_of_their_own(root):
    (table,) = alone.measure(options(root, "quick"))
    assert [row[0] for row in table.rows] == ["library", "plain"]
    assert all(row[1].endswith("s") and row[3].endswith("B") for row in table.rows)
