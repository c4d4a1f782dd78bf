"""A training that is disturbed and started again ends as the undisturbed one, bit for bit; and how long it took."""

import io
import json
import math
import os
import random
import signal

import pytest
import torch
from rich.console import Console

from fernn.training.checkpoint import Checkpoint, UnusableCheckpointError, read_checkpoint, take_up, write_checkpoint
from fernn.training.loop import Fit, Interrupted, fit
from fernn.training.progress import TrainingProgress

from .toy import BATCHES, EPOCHS, Killed, Strike, Toy, context, kill, same, section, send, toy_model, train

CPU = torch.device("cpu")
TOTAL = EPOCHS * BATCHES


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> Fit:
    return train(tmp_path_factory.mktemp("undisturbed") / "c")


@pytest.mark.parametrize("after", [BATCHES + 1, BATCHES + 2, BATCHES + 3])
def test_looks_inside_an_epoch_change_no_weight(undisturbed, tmp_path, after):
    looked = train(tmp_path / "looked", validate_every=2)
    ends = [row for row in looked.history if row["step"] % BATCHES == 0]
    assert same(Fit(looked.weights, ends, looked.best_epoch, looked.diverged), undisturbed)
    assert [row["step"] for row in looked.history if row not in ends] == list(range(2, TOTAL, BATCHES))
    with pytest.raises(Interrupted):
        train(tmp_path / "stopped", after, send(signal.SIGTERM), validate_every=2)
    assert same(train(tmp_path / "stopped", validate_every=2), looked)


@pytest.mark.parametrize("after", range(1, TOTAL + 1))
def test_killed(undisturbed, tmp_path, after):
    """What was done since the last checkpoint is done again."""
    with pytest.raises(Killed):
        train(tmp_path / "c", after)
    assert same(train(tmp_path / "c"), undisturbed)


@pytest.mark.parametrize(("every", "saves"), [(1, range(TOTAL)), (2, range(0, TOTAL, 2)), (3, (0, 3, 4, 7, 8, 11))])
@pytest.mark.parametrize("after", range(1, TOTAL + 1))
def test_killed_after_a_checkpoint_by_time(undisturbed, tmp_path, monkeypatch, after, every, saves):
    """By a clock that goes by batches: what was done in less than the time between two checkpoints is done again."""
    task = Toy()
    monkeypatch.setattr("fernn.training.loop.monotonic", lambda: task.trained())
    with pytest.raises(Killed):
        train(tmp_path / "c", after, task=task, save_every=every)
    kept = max(batch for batch in saves if batch < after)
    if kept:
        state = read_checkpoint(tmp_path / "c", CPU)
        assert (state.epoch, state.batch) == divmod(kept, BATCHES)
    task = Toy()
    assert same(train(tmp_path / "c", task=task, save_every=every), undisturbed)
    assert task.trained() == TOTAL - kept


def test_a_checkpoint_by_time_keeps_looks_inside_its_epoch(tmp_path, monkeypatch):
    task = Toy()
    monkeypatch.setattr("fernn.training.loop.monotonic", lambda: task.trained())
    whole = train(tmp_path / "whole", validate_every=2)
    with pytest.raises(Killed):
        train(tmp_path / "c", BATCHES + 3, task=task, save_every=2, validate_every=2)
    state = read_checkpoint(tmp_path / "c", CPU)
    assert [row["step"] for row in state.history] == [2, 4, 6]
    assert same(train(tmp_path / "c", save_every=2, validate_every=2), whole)


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("after", range(1, TOTAL))
def test_asked_to_stop(undisturbed, tmp_path, after, signum):
    """The batch in hand is finished and saved, so nothing is done twice."""
    handlers = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    with pytest.raises(Interrupted, match=f"stopped by {signum.name}; the same command goes on") as stopped:
        train(tmp_path / "c", after, send(signum))
    assert stopped.value.signum == signum
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)] == handlers
    state = read_checkpoint(tmp_path / "c", CPU)
    assert (state.epoch, state.batch) == divmod(after, BATCHES)
    task = Toy()
    assert same(train(tmp_path / "c", task=task), undisturbed)
    assert task.trained() == TOTAL - after


def test_asked_to_stop_at_the_very_end(undisturbed, tmp_path):
    assert same(train(tmp_path / "c", TOTAL, send(signal.SIGTERM)), undisturbed)


def test_killed_while_it_writes_its_checkpoint(undisturbed, tmp_path, monkeypatch):
    train(tmp_path / "c", epochs=1)
    before = (tmp_path / "c").read_bytes()
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(os, "replace", lambda *_: kill())
        train(tmp_path / "c")
    assert (tmp_path / "c").read_bytes() == before
    assert same(train(tmp_path / "c"), undisturbed)


def test_a_finished_training_is_not_done_again(undisturbed, tmp_path):
    train(tmp_path / "c")
    task = Toy()
    assert same(train(tmp_path / "c", task=task), undisturbed)
    assert task.asked == []


@pytest.mark.parametrize(("losses", "wanted"), [([3.0, 1.0, 2.0], -1), ([1.0, 3.0, 2.0], +1)])
def test_the_best_epoch_survives(tmp_path, losses, wanted):
    whole = train(tmp_path / "whole", task=Toy(losses, wanted))
    assert whole.best_epoch == 2
    with pytest.raises(Interrupted):
        train(tmp_path / "c", 2 * BATCHES + 1, send(signal.SIGTERM), Toy(losses, wanted))
    assert same(train(tmp_path / "c", task=Toy(losses[2:], wanted)), whole)


@pytest.mark.parametrize("losses", [[math.inf], [1.0, math.inf]])
def test_a_training_that_diverges_is_resumed_to_the_same_end(tmp_path, losses):
    whole = train(tmp_path / "whole", task=Toy(losses), may_diverge=True)
    assert (whole.diverged, whole.best_epoch) == (True, len(losses) - 1)
    with pytest.raises(Interrupted):
        train(tmp_path / "c", len(losses) * BATCHES - 1, send(signal.SIGTERM), Toy(losses), may_diverge=True)
    assert same(train(tmp_path / "c", task=Toy(losses[-1:]), may_diverge=True), whole)
    task = Toy()
    assert same(train(tmp_path / "c", task=task, may_diverge=True), whole)
    assert task.asked == []


def test_another_identity_starts_afresh(undisturbed, tmp_path):
    with pytest.raises(Killed):
        train(tmp_path / "c", BATCHES + 1, identity="before", learning_rate=0.1)
    other, said = (tmp_path / "c").read_bytes(), []
    assert take_up(tmp_path / "c", "i", CPU, said.append) is None
    # it is moved aside and named
    assert said == [f"{tmp_path}/c is of other params, code or data: not used, and kept as {tmp_path}/c-before"]
    assert not (tmp_path / "c").exists()
    assert same(train(tmp_path / "c"), undisturbed)
    assert (tmp_path / "c-before").read_bytes() == other
    # and is resumed when its params are restored
    mine = (tmp_path / "c").read_bytes()
    state = take_up(tmp_path / "c", "before", CPU, said.append)
    assert (state.epoch, state.batch) == (1, 0)
    assert (tmp_path / "c-i").read_bytes() == mine
    assert said[-1] == f"going on from {tmp_path}/c-before, which was set aside"


@pytest.mark.parametrize("spoil", [lambda b: b[: len(b) // 2], lambda b: b"", lambda b: b"{" * 64, lambda b: b[:-1]])
def test_a_broken_checkpoint_starts_afresh(undisturbed, tmp_path, spoil):
    with pytest.raises(Killed):
        train(tmp_path / "c", BATCHES + 1)
    (tmp_path / "c").write_bytes(spoil((tmp_path / "c").read_bytes()))
    with pytest.raises(UnusableCheckpointError):
        read_checkpoint(tmp_path / "c", CPU)
    spoiled = (tmp_path / "c").read_bytes()
    fit = train(tmp_path / "c")
    assert [row["epoch"] for row in fit.history] == [1, 2, 3]
    assert (tmp_path / "c.corrupt").read_bytes() == spoiled


def test_a_flipped_bit_anywhere_in_a_checkpoint_is_noticed(tmp_path):
    with pytest.raises(Killed):
        train(tmp_path / "c", BATCHES + 1)
    whole = (tmp_path / "c").read_bytes()
    drawn = random.Random(0)
    for place in [*(drawn.randrange(len(whole)) for _ in range(200)), len(whole) - 1]:
        spoiled = bytearray(whole)
        spoiled[place] ^= 1 << drawn.randrange(8)
        (tmp_path / "c").write_bytes(spoiled)
        try:
            read_checkpoint(tmp_path / "c", CPU)
        except UnusableCheckpointError:
            continue
        pytest.fail(f"byte {place} of {len(whole)}")


def test_moments_come_back_in_the_memory_order_of_their_weights(tmp_path):
    """Fused Adam, which trains on GPUs, goes through all of them in one order and would mix up their elements."""

    def steps(count: int, first: int = 0, restored: bool = False) -> torch.nn.Module:
        model = toy_model().to(memory_format=torch.channels_last).eval()
        optimizer = torch.optim.Adam(model.parameters(), fused=True)
        if restored:
            read_checkpoint(tmp_path / "c", CPU).restore(model, optimizer)
        for number in range(first, count):
            optimizer.zero_grad()
            Toy().loss(model, Toy().batch(0, number)).backward()
            optimizer.step()
        if not restored:
            write_checkpoint(tmp_path / "c", Checkpoint.start("i", CPU), model, optimizer)
        return model

    whole = steps(4)
    steps(2)
    resumed = steps(4, first=2, restored=True)
    for one, two in zip(resumed.parameters(), whole.parameters(), strict=True):
        assert torch.equal(one, two)


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
