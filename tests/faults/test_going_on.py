"""What was interrupted goes on, as often as it takes, and ends with the same bytes; what diverges ends at once."""

import os
import random
import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch

from fernn.arrays import read_arrays
from fernn.layout import Layout
from fernn.training.checkpoint import read_checkpoint

from .harness import SCALE, SEED, SHARE, Project, Server, Trial, drawn, of
from .ledger import Ledger

GOES_ON = "A killed training resumes and ends with the same bytes as an uninterrupted one"
NUMBERS = "A NaN or infinite loss stops the training with its epoch and batch; neither it nor a model is saved"
ONE = "If several processes start the same result, one creates it and the others wait; the later one's params apply"
TIMES = "File times are ignored: a wrong clock changes no result"
NOTICED = "`fernn verify` reports a result with one flipped bit"


def trained(project: Project, run: str) -> dict[str, str]:
    return {name: digest for name, digest in project.digests().items() if f"/runs/{run}/" in f"/{name}"}


def test_killed_again_and_again(template: Project, tmp_path: Path, ledger: Ledger) -> None:
    """And what it keeps while it is under way does not grow."""
    run, wanted = template.run, round(300 * SHARE)
    for name in ("undisturbed", "killed"):
        project = template.copy(tmp_path / name)
        project.edit_params(lambda scale: scale["translation"]["training"].update(epochs=4 * wanted))
        shutil.rmtree(project.folder / f"results/{SCALE}/runs/{run}")
        if name == "undisturbed":
            ended = project.fernn("train", run, fault={"kind": "count"})
            assert ended.status == 0, ended.said
            whole, each = trained(project, run), ended.operations // wanted
    chance, killed, held = random.Random(f"{SEED} again"), 0, set()
    while True:  # each time some epochs further, each of which writes its checkpoint
        at = chance.randint(each // 2, 3 * each // 2)
        ended = project.fernn("train", run, fault={"kind": "crash", "at": at})
        if ended.status == 0:
            break
        assert ended.status == 137, ended.said
        killed += 1
        kept = list((project.folder / f"results/{SCALE}/unfinished/{run}").glob("*"))
        held.add(sum(path.stat().st_size for path in kept if path.suffix == ".safetensors"))
        assert len([path for path in kept if not path.name.endswith(".partial")]) <= 2
        assert killed < 20 * wanted, "it does not come to an end"
    assert killed >= wanted / 2
    assert max(held) < min(held - {0}) + 400 * 4 * wanted  # its table of losses grows, by a line for each epoch
    assert trained(project, run) == whole
    assert project.leftovers() == []
    ledger(GOES_ON, "repeated kill -9 of one training", killed)


@pytest.fixture(scope="module")
def other() -> Iterator[Server]:
    """Runs commands beside those of the template's server."""
    found = Server()
    yield found
    found.close()


@pytest.mark.parametrize("stage", ["standins", "dataset", "train", "evaluate", "tables", "report"])
def test_two_starters(stage: str, template: Project, other: Server, tmp_path: Path, ledger: Ledger) -> None:
    job, number = next(iter(template.jobs.of(stage).values())), max(1, round(4 * SHARE))
    for _ in range(number):
        project = Trial(template, of(job), (*job.writes, job.record)).project(tmp_path / "project")
        twin = Project(project.folder, other)
        with ThreadPoolExecutor(2) as pool:
            answers = list(pool.map(lambda each: each.fernn(*of(job)), (project, twin)))
        assert [answer.status for answer in answers] == [0, 0], answers
        assert sum("already up to date" in answer.said for answer in answers) == 1, answers
        assert project.digests() == template.digests()
        assert project.leftovers() == []
        shutil.rmtree(project.folder)
    ledger(ONE, f"two processes start {'a training' if stage == 'train' else stage}", number)


def test_a_successor_with_other_params(template: Project, other: Server, tmp_path: Path, ledger: Ledger) -> None:
    """What an orphan of a killed Snakemake makes with the params of yesterday does not lie there in the end."""
    number, part = max(1, round(8 * SHARE)), "translation/test-V1T"
    chance, job = random.Random(f"{SEED} successor"), template.jobs.find("dataset", part)
    for _ in range(number):
        project = Trial(template, of(job), (*job.writes, job.record)).project(tmp_path / "project")
        twin = Project(project.folder, other)
        with ThreadPoolExecutor(2) as pool:
            orphan = pool.submit(project.fernn, *of(job))
            while not list((project.folder / Layout(SCALE).lock(f"dataset/{part}")).glob("1")):
                assert not orphan.done(), orphan.result().said
                time.sleep(0.001)
            time.sleep(chance.random() * 0.1)
            project.edit_params(lambda scale: scale["translation"]["data"].update(test=6))
            successor = twin.fernn(*of(job))
            orphan.result()
        assert successor.status == 0, successor.said
        assert len(read_arrays(project.folder / job.writes[0])[0]["digit"]) == 6
        assert "already up to date" in project.fernn(*of(job)).said
        shutil.rmtree(project.folder)
    ledger(ONE, "a second process with other params", number)


def test_each_changed_file_is_named(template: Project, tmp_path: Path, ledger: Ledger) -> None:
    project = template.copy(tmp_path / "project")
    outputs = [path for job in project.jobs.all.values() for path in (*job.writes, job.record)]
    chance = random.Random(f"{SEED} changed")
    chosen = chance.sample(outputs, max(1, round(len(outputs) * SHARE)))
    for path in chosen:
        file = project.folder / path
        whole = file.read_bytes()
        place = chance.randrange(len(whole))
        file.write_bytes(whole[:place] + bytes([whole[place] ^ 1 << chance.randrange(8)]) + whole[place + 1 :])
        told = project.fernn("verify", f"results/{SCALE}")
        assert told.status == 1, told.said
        assert str(path) in told.said
        assert "Traceback" not in told.said
        file.write_bytes(whole)
    assert project.fernn("verify", f"results/{SCALE}").status == 0
    ledger(NOTICED, "a flipped bit in a result or record", len(chosen))


def test_times_of_files_mean_nothing(template: Project, tmp_path: Path, ledger: Ledger) -> None:
    project, chance = template.copy(tmp_path / "project"), random.Random(f"{SEED} clock")
    files = [path for path in (project.folder / "results").rglob("*") if path.is_file()]
    for path in files:
        when = chance.choice((1, 86_400, 1e9, 4e9)) + chance.random()
        os.utime(path, (when, when))
    assert project.fernn("verify", f"results/{SCALE}").status == 0
    for command in (("evaluate", project.run), ("tables",)):
        ended = project.fernn(*command)
        assert ended.status == 0
        assert "already up to date" in ended.said
    assert project.digests() == template.digests()
    ledger(TIMES, "changed file times", len(files))


@pytest.mark.parametrize("experiment", ["translation", "rotation", "kth"])
def test_rates_that_diverge(experiment: str, template: Project, tmp_path: Path, ledger: Ledger) -> None:
    """Rates so high that weights leave what float32 holds, at some batch."""
    chance = random.Random(f"{SEED} rates {experiment}")
    rates = drawn([float(f"1e{chance.randint(25, 38)}") for _ in range(8)], f"rates {experiment}")
    for rate in rates:
        project = template.copy(folder := tmp_path / "project")

        def diverge(scale: dict[str, Any], rate: float = rate) -> None:
            scale["checkpoint_minutes"] = 1e-9  # after each batch
            for about in scale[experiment]["models"].values():
                about["learning_rate"] = rate

        project.edit_params(diverge)
        (run,) = [run for run in project.jobs.runs if run.startswith(experiment)]
        ended = project.fernn("train", run)
        assert ended.status == 1, ended.said
        (told,) = [line for line in ended.said.splitlines() if line.startswith("fernn: ")]
        assert "epoch" in told
        assert "batch" in told
        assert "Traceback" not in ended.said
        assert not list((folder / f"results/{SCALE}/runs/{run}").glob("*"))
        for checkpoint in folder.glob(f"results/{SCALE}/unfinished/{run}/checkpoint.safetensors"):
            weights = read_checkpoint(checkpoint, torch.device("cpu")).tensors["model"]
            assert all(each.isfinite().all() for each in weights.values())
        assert not project.leftovers()
        shutil.rmtree(folder)
    ledger(NUMBERS, "a diverging learning rate", len(rates))
