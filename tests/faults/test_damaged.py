"""Every reader is given files that were damaged: it refuses with one clear error, or reads what was not damaged.

The mutations are drawn from a seed: bits that flip, ends that are missing, blocks that are zero, doubled or exchanged,
bytes that were added. FERNN_FUZZ=SECONDS keeps on for so long for each reader, and tells how often it was.
"""

import json
import os
import random
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from fernn.arrays import read_about, read_arrays, write_arrays
from fernn.data.kth.archives import check_archive
from fernn.data.kth.archives import read_record as read_fetched
from fernn.data.kth.decode import decode_video
from fernn.data.kth.release import read_annotations, read_release
from fernn.data.mnist import read_idx, write_idx
from fernn.errors import FernnError
from fernn.experiments import load_params
from fernn.layout import METRICS, Layout
from fernn.models import FERNNPredictor, load_model, save_model
from fernn.provenance.records import read_record
from fernn.results.values import read_metrics
from fernn.training.checkpoint import Checkpoint, UnusableCheckpointError, read_checkpoint, write_checkpoint

from .harness import SCALE, SEED, SHARE, Project
from .ledger import Ledger

PROMISE = "A damaged file is refused in a sentence, or read as what it holds; never a traceback"
TRIED = 400  # mutations of each file
SECONDS = float(os.environ.get("FERNN_FUZZ", "0"))


def mutated(content: bytes, chance: random.Random) -> bytes:
    """The content, damaged in one or a few ways."""
    found = bytearray(content)
    for _ in range(chance.choice((1, 1, 1, 2, 5))):
        place, size = chance.randrange(len(found) + 1), chance.choice((1, 1, 2, 4, 16, 300))
        match chance.randrange(8):
            case 0 | 1:
                for at in range(place, min(place + size, len(found))):
                    found[at] ^= 1 << chance.randrange(8)
            case 2:
                found[place : place + size] = bytes(chance.randrange(256) for _ in range(size))
            case 3:
                del found[place:]
            case 4:
                del found[place : place + size]
            case 5:
                found[place:place] = found[place : place + size]
            case 6:
                found[place : place + size] = bytes(size)
            case 7:
                found += bytes(chance.randrange(256) for _ in range(size))
    return bytes(found)


@dataclass(frozen=True)
class Reader:
    """What reads a file, and how a good one comes about.

    Attributes:
        write: writes a good one.
        read: reads it.
        refuses: the error with which it may refuse.
    """

    write: Callable[[Path], Any]
    read: Callable[[Path], Any]
    refuses: type[Exception] = FernnError


def _checkpoint(path: Path) -> None:
    model = FERNNPredictor("V1T", hidden_channels=2, decoder_layers=1)
    optimizer = torch.optim.Adam(model.parameters())
    model(torch.rand(1, 2, 1, 6, 6), 1).sum().backward()
    optimizer.step()
    write_checkpoint(path, Checkpoint.start("a", torch.device("cpu")), model, optimizer)


def _arrays(path: Path) -> None:
    write_arrays(path, {"a": np.arange(200, dtype=np.uint8), "b": np.ones((3, 2))}, {"kind": "x"}, packed=("a",))


def made(pattern: str) -> Callable[[Project, Path], None]:
    """A file of the project."""

    def write(template: Project, path: Path) -> None:
        path.write_bytes(next(iter(sorted(template.folder.glob(pattern)))).read_bytes())

    return write


def _members(path: Path) -> set[str]:
    with zipfile.ZipFile(path) as archive:
        return set(archive.namelist())


DOWNLOADS = "results/faults/downloads/kth"
READERS: dict[str, Reader] = {
    "IDX": Reader(lambda path: write_idx(path, np.arange(60, dtype=np.uint8).reshape(3, 4, 5)), read_idx),
    "arrays": Reader(_arrays, read_arrays),
    "heads of arrays": Reader(_arrays, read_about, ValueError),
    "models": Reader(lambda path: save_model(FERNNPredictor("V1T", hidden_channels=2), path), load_model),
    "checkpoints": Reader(
        _checkpoint, lambda path: read_checkpoint(path, torch.device("cpu")), UnusableCheckpointError
    ),
}


def tried(reader: Reader, path: Path, name: str) -> int:
    """Read what was damaged; how often."""
    whole = path.read_bytes()
    reader.read(path)  # it is a good one
    chance = random.Random(f"{SEED} {name}")
    number, until = 0, time.monotonic() + SECONDS
    while number < max(20, TRIED * SHARE) or time.monotonic() < until:
        content = mutated(whole, chance)
        path.write_bytes(content)
        number += 1
        try:
            reader.read(path)
        except reader.refuses as error:
            assert str(error), f"{name}, {number}: it says nothing"
            if isinstance(error, FernnError):
                assert len(str(error)) < 2000
        except Exception as error:
            kept = Path(os.environ.get("FERNN_FUZZ_KEEP", path.parent)) / f"{name}-{number}.bin"
            kept.write_bytes(content)
            raise AssertionError(f"{name}, {number} of seed {SEED}: {type(error).__name__}: {error}; {kept}") from error
    return number


@pytest.mark.parametrize("name", READERS)
def test_files_of_the_library(name: str, tmp_path: Path, ledger: Ledger) -> None:
    torch.manual_seed(0)
    path = tmp_path / "file"
    READERS[name].write(path)
    ledger(PROMISE, f"damaged {name}", tried(READERS[name], path, name))


@pytest.mark.parametrize("kind", ["zip archives", "videos", "annotations", "lists of what was fetched", "records"])
def test_files_of_the_pipeline(kind: str, template: Project, tmp_path: Path, ledger: Ledger) -> None:
    path = tmp_path / "file"
    match kind:
        case "zip archives":
            made(f"{DOWNLOADS}/walking.zip")(template, path)
            names = _members(path)
            reader = Reader(lambda _: None, lambda path: check_archive(path, names))
        case "videos":
            with zipfile.ZipFile(next(template.folder.glob(f"{DOWNLOADS}/walking.zip"))) as archive:
                path.write_bytes(archive.read(archive.namelist()[0]))
            reader = Reader(lambda _: None, lambda path: decode_video(path.read_bytes(), 12, 40))
        case "annotations":
            made(f"{DOWNLOADS}/00sequences.txt")(template, path)
            reader = Reader(lambda _: None, read_annotations)
        case "lists of what was fetched":
            made(f"{DOWNLOADS}/fetched.json")(template, tmp_path / "fetched.json")
            path = tmp_path / "fetched.json"
            reader = Reader(lambda _: None, lambda path: read_fetched(path.parent))
        case _:
            made("results/faults/runs/**/record.json")(template, path)
            reader = Reader(lambda _: None, read_record)
    ledger(PROMISE, f"damaged {kind}", tried(reader, path, kind))


def test_params(root: Path, tmp_path: Path, ledger: Ledger) -> None:
    path = tmp_path / "params.yaml"
    path.write_bytes((root / "params.yaml").read_bytes())
    ledger(PROMISE, "damaged params.yaml", tried(Reader(lambda _: None, load_params), path, "params"))


def test_releases(template: Project, tmp_path: Path, ledger: Ledger) -> None:
    path = tmp_path / "release.json"
    path.write_bytes((template.folder / Layout(SCALE).standins("kth") / "release.json").read_bytes())
    ledger(PROMISE, "damaged lists of a release", tried(Reader(lambda _: None, read_release), path, "releases"))


def test_metrics(template: Project, tmp_path: Path, ledger: Ledger) -> None:
    """The table of a run's losses is read by its run."""
    run = next(run for name, run in template.jobs.runs.items() if name.startswith("translation/"))
    path = Layout(SCALE, tmp_path / "results").run(run.id, METRICS)
    path.parent.mkdir(parents=True)
    path.write_bytes((template.folder / Layout(SCALE).run(run.id, METRICS)).read_bytes())
    layout = Layout(SCALE, tmp_path / "results")
    reader = Reader(lambda _: None, lambda _: read_metrics(layout, run, 3, "validation_loss"))
    ledger(PROMISE, "damaged tables of losses", tried(reader, path, "metrics"))


def test_mutations_repeat() -> None:
    """The same seed gives the same files, so that a number names a fault."""
    content = json.dumps(list(range(50))).encode()
    first, second = ([mutated(content, chance) for _ in range(20)] for chance in (random.Random(1), random.Random(1)))
    assert first == second
    assert len(set(first)) > 15
