"""What a result depends on: exactly the values that decide its bytes."""

import copy
from dataclasses import replace
from typing import Any

import pytest
import torch
import yaml

from fernn.errors import FernnError
from fernn.experiment import only
from fernn.experiments import find_experiment, load_params, resolve
from fernn.experiments.digits.data import make_digits
from fernn.layout import Layout
from fernn.pipeline.jobs import Jobs
from fernn.runs import runs_of

from .tasks import network_of

LATER = {"tables", "figures", "report"}
EVALUATED = {"evaluate", *LATER}
TRAINED = {"train", *EVALUATED}
ALL = {"dataset", *TRAINED}
EDITS = [
    ("translation", "data.test", 9, {"dataset", *EVALUATED}),
    ("translation", "data.train", 54001, TRAINED),
    ("translation", "data.predicted", 11, ALL),
    ("translation", "data.length.predicted", 71, {"dataset", *EVALUATED}),
    ("translation", "data.velocity.flow", "V1T", {"dataset", *EVALUATED}),
    ("translation", "data.held_out", 0.2, ALL),
    ("translation", "data.digit", 14, ALL),
    ("translation", "architecture.hidden_channels", 8, TRAINED),
    ("translation", "training.epochs", 3, TRAINED),
    ("translation", "training.threads", 2, TRAINED),
    ("translation", "training.micro_batch", 8, TRAINED),
    ("translation", "models.G-RNN.architecture", {"kernel_size": 5}, TRAINED),
    ("rotation", "data.degrees", 20, ALL),
    ("rotation", "architecture.convolution", "dense", TRAINED),
    ("kth", "data.flip", 0.4, TRAINED),
    ("kth", "data.draws", 4, {"dataset", *EVALUATED}),
    ("kth", "data.persons.train", [1, 2], ALL),
    ("kth", "architecture.cnn_base", 8, TRAINED),
    ("kth", "training.precision", "bf16", TRAINED),
    ("kth", "source.bases", [], set()),
]


@pytest.fixture(scope="module")
def content(root) -> dict[str, Any]:
    return yaml.safe_load((root / "params.yaml").read_text())


def lineages(content: dict[str, Any], experiment: str) -> dict[str, dict[str, str]]:
    """By stage and name, at the paper's scale."""
    jobs = Jobs(resolve({**content, "experiments": [experiment]}), Layout("paper"))
    found: dict[str, dict[str, str]] = {}
    for (stage, name), job in jobs.all.items():
        found.setdefault(stage, {})[name] = jobs.lineage(job)
    return found


@pytest.mark.parametrize(("experiment", "path", "value", "outdated"), EDITS, ids=[f"{e[0]}.{e[1]}" for e in EDITS])
def test_what_an_edit_outdates(content, experiment: str, path: str, value: Any, outdated: set[str]):
    edited = copy.deepcopy(content)
    *parents, last = path.split(".")
    section = edited[experiment]
    for key in parents:
        section = section[key]
    section[last] = value
    before, after = lineages(content, experiment), lineages(edited, experiment)
    assert {stage for stage in before if before[stage] != after[stage]} == outdated


@pytest.mark.parametrize(("draws", "used"), [(0, (0, 0, 0)), (1, (0, 1, 1)), (5, (0, 1, 5))])
def test_places_that_clips_start_from(content, draws: int, used: tuple[int, ...]):
    edited = copy.deepcopy(content)
    edited["kth"]["data"]["draws"] = draws
    parts = [f"{split}-V2T" for split in ("train", "validation", "test")]
    works = [find_experiment("kth").dataset(resolve(edited), Layout("paper"), part) for part in parts]
    assert tuple(work.inputs["draws"] for work in works) == used


def test_a_function_sees_no_value_but_those_that_are_recorded(root):
    data = only(load_params(root / "params.yaml").translation.data, "frame", "seen")
    assert data.model_dump() == {"frame": 28, "seen": 10}
    with pytest.raises(AttributeError):
        _ = data.test


@pytest.mark.parametrize("name", ["translation", "rotation", "kth"])
def test_weights_start_by_the_seed(root, name: str):
    params, other = load_params(root / "params.yaml", "quick"), "FERNN-V2R" if name == "rotation" else "FERNN-V2T"
    run = next(run for run in runs_of(params, name) if run.model == "G-RNN")
    weights = []
    for each in (run, replace(run, model=other), run, replace(run, seed=run.seed + 1)):
        built = network_of(find_experiment(name).training(params, Layout("quick"), each))
        weights.append(torch.cat([weight.flatten() for weight in built.parameters()]))
    assert torch.equal(weights[0], weights[1])  # of equal shapes, so G-RNN and FERNN start alike
    assert torch.equal(weights[0], weights[2])
    assert not torch.equal(weights[0], weights[3])


@pytest.mark.parametrize(("held_out", "empty"), [(1e-6, "validation"), (1 - 1e-6, "train")])
def test_a_part_without_a_digit(root, tmp_path, held_out: float, empty: str):
    params = load_params(root / "params.yaml", "quick")
    files = find_experiment("translation").dataset(params, Layout("quick"), "digits").files
    files = {name: root / path for name, path in files.items()}
    with pytest.raises(FernnError, match=f"data.held_out = .* leaves no digit for {empty} "):
        make_digits(files, tmp_path / "digits", digit=7, held_out=held_out, seed=0)
    assert not (tmp_path / "digits").exists()
