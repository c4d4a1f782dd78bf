"""Every reader is given files that were damaged: it refuses with one clear error, or reads what was not damaged.

The mutations are drawn from a seed: bits that flip, ends that are missing, blocks that are zero, doubled or exchanged,
bytes that were added. FERNN_FUZZ=SECONDS keeps on for so long for each reader, and tells how often it was.
"""

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
from fernn.layout import METRICS, RELEASE, Layout
from fernn.models import FERNNPredictor, load_model, save_model
from fernn.provenance.records import read_record
from fernn.results.values import read_metrics
from fernn.runs import Run
from fernn.training.checkpoint import Checkpoint, UnusableCheckpointError, read_checkpoint, write_checkpoint

from .harness import ROOT, SCALE, SEED, SHARE, Project
from .ledger import Ledger

PROMISE = "A corrupt file is rejected with a one-line error or read as its contents; never a traceback"
TRIED = 400  # mutations of each file
SECONDS = float(os.environ.get("FERNN_FUZZ", "0"))
DOWNLOADS = f"results/{SCALE}/downloads/kth"
RUN = Run("translation", "V1T", "FERNN-V1T", 0.01, 0)
MEMBERS = {f"person0{person}_walking_d3_uncomp.avi" for person in (1, 2, 3)}


@dataclass(frozen=True)
class Reader:
    """What reads a file, and how a good one comes about.

    Attributes:
        write: writes a good one; given the project, too.
        read: reads it.
        refuses: the error with which it may refuse.
        name: of the file, where the reader expects one.
    """

    write: Callable[[Project, Path], Any]
    read: Callable[[Path], Any]
    refuses: type[Exception] = FernnError
    name: str = "file"


def _made(pattern: str) -> Callable[[Project, Path], Any]:
    """A file of the project."""
    return lambda project, path: path.write_bytes(min(project.folder.glob(pattern)).read_bytes())


def _checkpoint(_: Project, path: Path) -> None:
    model = FERNNPredictor("V1T", hidden_channels=2, decoder_layers=1)
    optimizer = torch.optim.Adam(model.parameters())
    model(torch.rand(1, 2, 1, 6, 6), 1).sum().backward()
    optimizer.step()
    write_checkpoint(path, Checkpoint.start("a", torch.device("cpu")), model, optimizer)


def _arrays(_: Project, path: Path) -> None:
    write_arrays(path, {"a": np.arange(200, dtype=np.uint8), "b": np.ones((3, 2))}, {"kind": "x"}, packed=("a",))


def _video(project: Project, path: Path) -> None:
    with zipfile.ZipFile(project.folder / DOWNLOADS / "walking.zip") as archive:
        path.write_bytes(archive.read(archive.namelist()[0]))


def _metrics(path: Path) -> None:
    """The table of a run's losses is read by its run."""
    layout = Layout(SCALE, path.parents[len(Layout(SCALE).run(RUN.id, METRICS).parts) - 2])
    assert layout.run(RUN.id, METRICS) == path
    read_metrics(layout, RUN, 3, "validation_loss")


READERS = {
    "IDX": Reader(lambda _, path: write_idx(path, np.arange(60, dtype=np.uint8).reshape(3, 4, 5)), read_idx),
    "arrays": Reader(_arrays, read_arrays),
    "heads of arrays": Reader(_arrays, read_about, ValueError),
    "models": Reader(lambda _, path: save_model(FERNNPredictor("V1T", hidden_channels=2), path), load_model),
    "checkpoints": Reader(
        _checkpoint, lambda path: read_checkpoint(path, torch.device("cpu")), UnusableCheckpointError
    ),
    "zip archives": Reader(_made(f"{DOWNLOADS}/walking.zip"), lambda path: check_archive(path, MEMBERS)),
    "videos": Reader(_video, lambda path: decode_video(path.read_bytes(), 12, 40)),
    "annotations": Reader(_made(f"{DOWNLOADS}/00sequences.txt"), read_annotations),
    "lists of what was fetched": Reader(
        _made(f"{DOWNLOADS}/fetched.json"), lambda path: read_fetched(path.parent), name="fetched.json"
    ),
    "records": Reader(_made(f"results/{SCALE}/runs/**/record.json"), read_record),
    "params.yaml": Reader(lambda _, path: path.write_bytes((ROOT / "params.yaml").read_bytes()), load_params),
    "lists of a release": Reader(_made(str(Layout(SCALE).standins("kth") / RELEASE)), read_release),
    "tables of losses": Reader(
        _made(str(Layout(SCALE).run(RUN.id, METRICS))), _metrics, name=str(Layout(SCALE).run(RUN.id, METRICS))
    ),
}


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


@pytest.mark.parametrize("name", READERS)
def test_damaged_files(name: str, template: Project, tmp_path: Path, ledger: Ledger) -> None:
    reader, path = READERS[name], tmp_path / READERS[name].name
    path.parent.mkdir(parents=True, exist_ok=True)
    reader.write(template, path)
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
            kept = Path(os.environ.get("FERNN_FUZZ_KEEP", tmp_path)) / f"{name}-{number}.bin"
            kept.write_bytes(content)
            raise AssertionError(f"{name}, {number} of seed {SEED}: {type(error).__name__}: {error}; {kept}") from error
    ledger(PROMISE, f"corrupt {name}", number)
