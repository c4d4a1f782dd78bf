import os
import signal
import subprocess
import sys
import time
from operator import neg

import pytest

from fernn.data.kth.parallel import in_order
from fernn.errors import FernnError


def test_in_order():
    assert list(in_order(neg, [3, 1, 2], workers=1)) == [-3, -1, -2]
    assert list(in_order(neg, [], workers=4)) == []
    results = in_order(neg, [3, 1, None, 2], workers=2)
    assert [next(results), next(results)] == [-3, -1]
    with pytest.raises(TypeError):
        next(results)


def test_a_worker_that_is_killed():
    with pytest.raises(FernnError, match="one of 2 worker processes was killed: out of memory"):
        list(in_order(os._exit, [1, 1, 1], workers=2))


SLEEP = r"""
import os, time
from fernn.data.kth.parallel import in_order

def work(seconds):
    os.write(1, b"%d\n" % os.getpid())  # a line in one piece, where print may write two
    time.sleep(seconds)

if __name__ == "__main__":
    list(in_order(work, [60] * 4, workers=2))
"""


def test_workers_end_with_their_owner(tmp_path):
    (tmp_path / "sleep.py").write_text(SLEEP)
    with subprocess.Popen([sys.executable, tmp_path / "sleep.py"], stdout=subprocess.PIPE, text=True) as owner:
        workers = [int(owner.stdout.readline()) for _ in range(2)]
        assert all(map(alive, workers))
        owner.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 60
    while any(map(alive, workers)):
        assert time.monotonic() < deadline, "workers outlive their owner"
        time.sleep(0.01)


def alive(process: int) -> bool:
    try:
        with open(f"/proc/{process}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
