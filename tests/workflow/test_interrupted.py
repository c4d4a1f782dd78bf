"""`dvc repro` that is killed in the middle goes on where it was."""

import os
import signal
import subprocess
import time

import pytest

from .conftest import Clone


@pytest.mark.parametrize("everything", [False, True], ids=["dvc alone", "with all that it started"])
def test_killed_and_started_again(origin: Clone, pulled: Clone, everything: bool) -> None:
    pulled.must("rm", "-r", "results/micro/runs", "results/micro/tables")
    with open(pulled.folder / ".dvc/tmp/said", "w") as said:
        under_way = subprocess.Popen(
            ["dvc", "repro"],
            cwd=pulled.folder,
            env=pulled.environment,
            stdout=said,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    patience = time.monotonic() + 600
    while not list(pulled.folder.glob("results/micro/runs/**/model.safetensors")):
        assert under_way.poll() is None
        assert time.monotonic() < patience
        time.sleep(0.05)
    if everything:
        os.killpg(under_way.pid, signal.SIGKILL)
    else:
        os.kill(under_way.pid, signal.SIGKILL)
    under_way.wait()
    assert not (pulled.folder / "results/micro/tables").exists()
    pulled.dvc("repro")
    assert pulled.results() == origin.results()
    assert pulled.up_to_date()
    assert pulled.planned() == set()
