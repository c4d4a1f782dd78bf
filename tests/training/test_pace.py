"""How long a run took is known of all that it kept, however it ended."""

import io
import json

import pytest
from rich.console import Console

from fernn.training.checkpoint import Checkpoint
from fernn.training.loop import fit
from fernn.training.progress import TrainingProgress
from tests.training.toy import BATCHES, EPOCHS, Killed, Strike, Toy, context, kill, section, toy_model


def test_a_killed_run_goes_on_with_the_pace_of_what_it_kept(tmp_path, monkeypatch):
    file, task, kept = tmp_path / "pace.json", Toy(), []
    monkeypatch.setattr("fernn.training.loop.monotonic", lambda: task.trained())

    def strike() -> None:
        kept.append(file.read_bytes())
        kill()

    with pytest.raises(Killed), Strike(BATCHES + 3, strike, file) as progress:
        fit(toy_model(), task, section(), 0.01, context(tmp_path / "c", progress, save_every=2))
    assert json.loads(kept[0])["steps"] == BATCHES + 2
    file.write_bytes(kept[0])  # a process that is killed writes nothing more
    task = Toy()
    with Strike(0, kill, file) as progress:
        fit(toy_model(), task, section(), 0.01, context(tmp_path / "c", progress, save_every=2))
    assert task.trained() == EPOCHS * BATCHES - (BATCHES + 2)
    assert progress.pace["steps"] == EPOCHS * BATCHES


def test_a_log_says_when_the_state_was_saved(monkeypatch):
    monkeypatch.setattr("fernn.training.progress.LOOK_IN_LOG", 0)
    said = io.StringIO()
    with TrainingProgress("toy", Console(file=said)) as progress:
        state = Checkpoint.start("i", toy_model()[0].weight.device)
        progress.start(1, 10, state)
        for state.batch in (1, 2):
            progress.batch(state)
            monkeypatch.setattr("time.strftime", lambda _: ", saved at 14:30")
            progress.saved(state)
    assert said.getvalue().splitlines() == [
        "toy  epoch 1/1, batch 1/10  train_loss 0",
        "toy  epoch 1/1, batch 2/10  train_loss 0, saved at 14:30",
    ]
