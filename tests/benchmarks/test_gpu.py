"""`make gpu`, on a CPU and at small sizes: its plan, its parts, its limits, and what it carries to the next machine."""

import json
import sys
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner, Result

from benchmarks import gpu
from fernn.experiments import load_params
from fernn.layout import Layout
from tests.conftest import ROOT

SLEEPY = "import time\nprint('began', flush=True)\ntime.sleep(60)\n"


@pytest.fixture(autouse=True)
def _project(monkeypatch: pytest.MonkeyPatch, root: Path) -> None:
    monkeypatch.chdir(root)


def call(folder: Path, *arguments: str) -> Result:
    app = gpu.typer.Typer()
    app.command()(gpu.main)
    return CliRunner().invoke(app, ["--folder", str(folder), "--output", str(folder / "page.md"), *arguments])


def test_without_a_gpu_it_says_so_in_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    ended = call(tmp_path)
    assert ended.exit_code == 1
    assert ended.output.startswith("make gpu needs a CUDA GPU")
    assert len(ended.output.splitlines()) == 1
    assert not list(tmp_path.iterdir())


def test_the_plan(tmp_path):
    ended = call(tmp_path, "--dry-run", "--minutes", "24")
    lines = ended.output.splitlines()
    assert ended.exit_code == 0
    assert lines[0].startswith("The digits of MNIST")  # a machine without a network ends early, not after the tests
    assert lines[1] == "Device tests: at most 4 min"  # in proportion
    assert [line.split(" ")[1].rsplit("/", 3)[1] for line in lines if line.startswith("Training")] == [*gpu.ORDER]
    assert lines[-1].startswith("All of it: 24 min")
    assert not list(tmp_path.iterdir())


def test_what_is_quick_is_no_measurement(tmp_path, monkeypatch):
    """A try at small sizes leaves the page alone, and no part that a real run takes for done."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(gpu, "ROOT", tmp_path)
    monkeypatch.setattr(gpu, "load_params", lambda *_: load_params(ROOT / "params.yaml", "quick"))
    monkeypatch.setattr(gpu, "parts", lambda *_: iter([part("")]))
    app = gpu.typer.Typer()
    app.command()(gpu.main)
    assert CliRunner().invoke(app, ["--quick", "--scale", "quick"]).exit_code == 0
    assert {path.name for path in tmp_path.rglob("*") if path.is_file()} == {"a.json", "a.log", "gpu.md"}
    dry = CliRunner().invoke(app, ["--dry-run", "--scale", "quick"])
    assert dry.output.splitlines()[0] == "A part: at most 1 min"


def part(code: str, **changes) -> gpu.Part:
    return gpu.Part(
        **{"name": "a", "about": "A part", "minutes": 1, "commands": [[sys.executable, "-c", code]], **changes}
    )


def test_a_part_that_takes_too_long_is_ended_and_said(tmp_path):
    gpu.do(tmp_path, part(SLEEPY), seconds=1)
    state = json.loads((tmp_path / "a.json").read_text())
    assert (state["done"], state["status"]) == (False, 124)
    assert (tmp_path / "a.log").read_text() == "began\n"
    text = gpu.page(tmp_path, Layout("quick"), [part(""), part("", name="b", about="Another")])
    assert "| A part | " in text
    assert "time limit reached |" in text
    assert "| Another |  |  |  | not run |" in text


def test_a_finished_part_is_not_done_again(tmp_path, monkeypatch):
    noted = tmp_path / "noted"
    code = f"open({str(noted)!r}, 'a').write('x')"
    monkeypatch.setattr(gpu, "parts", lambda *_: iter([part(code), part("1 / 0", name="b", about="A fault")]))
    (tmp_path / "page.md").write_text(f"old\n\n{gpu.BY_HAND}\n\nWhat it says.\n")
    for _ in range(2):
        assert call(tmp_path, "--quick").exit_code == 0
    assert noted.read_text() == "x"
    page = (tmp_path / "page.md").read_text()
    assert "| done |" in page
    assert "| ended with status 1 |" in page
    assert page.endswith(f"|\n\n{gpu.BY_HAND}\n\nWhat it says.\n")  # what people wrote stays
    assert "ZeroDivisionError" in (tmp_path / "b.log").read_text()


@pytest.mark.slow
def test_its_own_parts_on_a_cpu(tmp_path):
    """A test, a measurement, and the commands of a training."""
    params = load_params("params.yaml", "quick")
    plan = {each.name: each for each in gpu.parts(params, quick=True)}
    tests, measured, training = plan["tests"], plan["measure-kth"], plan["train-G-RNN"]
    few = gpu.Part(tests.name, tests.about, 6, [[*tests.commands[0], "-k", "waits and G-RNN"]])
    for each in (few, measured):
        gpu.do(tmp_path, each, seconds=360)
        assert gpu._state(tmp_path, each)["done"], (tmp_path / f"{each.name}.log").read_text()
    text = gpu.page(tmp_path, Layout("quick"), [few, measured])
    assert "## Experiment C: training step" in text
    assert training.run is not None
    assert [command[3] for command in training.commands][-1] == "train"


def test_small_checkpoints_are_carried(tmp_path, monkeypatch):
    here, there = Layout("quick", tmp_path / "here"), Layout("quick", tmp_path / "there")
    run = "translation/V2T/G-RNN/lr0.005/seed0"
    own = here.unfinished(run) / "checkpoint.safetensors"
    own.parent.mkdir(parents=True)
    own.write_bytes(b"state")
    gpu.carry(here, part("", run=run), tmp_path / "kept", back=False)
    gpu.carry(there, part("", run=run), tmp_path / "kept", back=True)
    assert (there.unfinished(run) / own.name).read_bytes() == b"state"
    monkeypatch.setattr(gpu, "SMALL", 4)
    own.write_bytes(b"larger")
    gpu.carry(here, part("", run=run), tmp_path / "kept", back=False)
    gpu.carry(there, part("", run=run), tmp_path / "kept", back=True)
    assert (there.unfinished(run) / own.name).read_bytes() == b"state"
