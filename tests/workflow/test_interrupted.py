"""`dvc repro` that is killed in the middle goes on where it was."""

import os
import signal
import subprocess
import time

import pytest

from .conftest import Clone


@pytest.mark.parametrize("everything", [False, True], ids=["dvc alone", "with all that it started"])
def test_killed_and_started_again(origin: Clone, clone: Clone, everything: bool) -> None:
    clone.dvc("pull", "dependencies@micro", "datasets@micro")
    with open(clone.folder / ".dvc/tmp/said", "w") as said:
        under_way = subprocess.Popen(
            ["dvc", "repro"],
            cwd=clone.folder,
            env=clone.environment,
            stdout=said,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    patience = time.monotonic() + 120
    while not list(clone.folder.glob("results/micro/runs/**/model.safetensors")):
        assert under_way.poll() is None
        assert time.monotonic() < patience
        time.sleep(0.05)
    if everything:
        os.killpg(under_way.pid, signal.SIGKILL)
    else:
        os.kill(under_way.pid, signal.SIGKILL)
    under_way.wait()
    clone.dvc("repro")
    assert clone.results() == origin.results()
    assert clone.up_to_date()
    assert clone.planned() == set()
