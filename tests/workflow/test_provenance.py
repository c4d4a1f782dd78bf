"""Ways to a wrong result that once passed as up to date. Each is tried: it makes the right result, or it is named."""

import json
import os
import platform
import shutil
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest

from fernn.data.mnist import FILES, read_idx

from .conftest import Project
from .test_dag import GRNN

RUN = f"{GRNN}/seed0"
BASE = Path("results/micro")
EVALUATION = BASE / "evaluations" / RUN
PREDICTION = "fernn/evaluation/prediction.py"
RIGHT = "squares = (model(shown, target.shape[1]).float() - target).square()"
WRONG = "squares = (model(shown, target.shape[1]).float() - target).abs()   "  # of the same length


def evaluate(project: Project, **more: str) -> subprocess.CompletedProcess[str]:
    """Evaluate a run once more."""
    shutil.rmtree(project.folder / EVALUATION)
    return project.fernn("evaluate", RUN, **more)


def must(ended: subprocess.CompletedProcess[str]) -> None:
    assert ended.returncode == 0, ended.stdout + ended.stderr


def named(project: Project, path: Path, *reasons: str) -> None:
    """`fernn verify` names a result and each reason."""
    ended = project.fernn("verify", path)
    assert ended.returncode == 1, ended.stdout
    assert all(reason in ended.stdout for reason in reasons), ended.stdout


def recorded(project: Project, path: Path) -> None:
    project.must("fernn", "verify", str(path))


def edit(project: Project, file: str, old: str, new: str) -> str:
    """Edit a source, keeping its time and, if old and new have one length, its size; returns the text of before."""
    text = (project.folder / file).read_text()
    assert old in text
    undo(project, file, text.replace(old, new))
    return text


def undo(project: Project, file: str, text: str) -> None:
    """Write a source, keeping its time."""
    path = project.folder / file
    found = path.stat()
    path.write_text(text)
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))


def test_f1_files_in_each_others_role(project: Project) -> None:
    before = project.read(f"evaluations/{RUN}/results.csv")
    file = "fernn/experiments/digits/experiment.py"
    parts = "parts = {name: tested_on(name, run.flow) for name in tests}"
    other = 'other = {"test": "length", "length": "test"}'
    swapped = f"{other}\n        {parts.replace('tested_on(name,', 'tested_on(other.get(name, name),')}"
    text = edit(project, file, parts, swapped)
    must(evaluate(project))
    assert project.read(f"evaluations/{RUN}/results.csv") != before
    undo(project, file, text)
    reason = f"as test it read {BASE}/datasets/translation/length-V2T.safetensors then, "
    named(project, EVALUATION, reason + f"{BASE}/datasets/translation/test-V2T.safetensors now")
    must(project.fernn("evaluate", RUN))
    assert project.read(f"evaluations/{RUN}/results.csv") == before
    recorded(project, EVALUATION)


def test_f2_another_file_than_the_recorded_one(project: Project) -> None:
    digits = "datasets/translation/digits.safetensors"
    before = project.read(digits)
    folder, name = project.folder / "resources/mnist-subset", "t10k-images-idx3-ubyte"
    images = read_idx(folder / f"{name}.gz")
    head = b"\x00\x00\x08\x03" + np.array(images.shape, ">i4").tobytes()
    (folder / name).write_bytes(head + images[::-1].tobytes())
    (project.folder / BASE / digits).unlink()
    must(project.fernn("dataset", "translation/digits"))
    assert project.read(digits) == before
    (folder / name).unlink()
    recorded(project, BASE / digits)


def test_f3_digits_that_are_not_the_originals(fresh: Project) -> None:
    (fresh.folder / "data/mnist").mkdir(parents=True)
    for name in FILES:
        with (fresh.folder / "data/mnist" / name).open("wb") as file:
            command = ["gzip", "-dc", f"resources/mnist-subset/{name}.gz"]
            subprocess.run(command, cwd=fresh.folder, stdout=file, check=True)
    ended = fresh.run("fernn", "dataset", "translation/digits", "--scale", "paper")
    assert ended.returncode == 1
    assert "data/mnist/train-images-idx3-ubyte is not the original: sha256 " in ended.stderr
    assert f"expected {FILES['train-images-idx3-ubyte'].sha256.value[:12]}..." in ended.stderr
    assert not (fresh.folder / "results/paper/datasets").exists()


def test_f4_bytecode_of_another_source(project: Project) -> None:
    before = project.read(f"evaluations/{RUN}/results.csv")
    for cache in (project.folder / "fernn").rglob("__pycache__"):
        shutil.rmtree(cache)
    text = edit(project, PREDICTION, RIGHT, WRONG)
    must(project.run("python", "-m", "compileall", "-q", "fernn"))
    undo(project, PREDICTION, text)  # same size and time: Python would take the bytecode
    must(evaluate(project))
    assert project.read(f"evaluations/{RUN}/results.csv") == before
    # so would it of the two files that Python itself imports
    text = edit(project, "fernn/__init__.py", '__version__ = "0.1.0"', '__version__ = "0.1.1"')
    must(project.run("python", "-m", "compileall", "-q", "-f", "fernn/__init__.py"))
    undo(project, "fernn/__init__.py", text)
    ended = project.fernn("runs")
    assert ended.returncode == 1
    assert "fernn/__init__.py differs from its bytecode" in ended.stderr


def test_f5_an_edit_while_it_starts(project: Project) -> None:
    text = edit(project, PREDICTION, RIGHT, WRONG)
    shutil.rmtree(project.folder / EVALUATION)
    script = f"""
import sys
from pathlib import Path
import fernn.experiments.digits.evaluate
Path({PREDICTION!r}).write_text({text!r})
from fernn.cli import main
sys.argv = ["fernn", "evaluate", {RUN!r}, "--scale", "micro"]
main()
"""
    must(project.run("python", "-c", script))
    named(project, EVALUATION, "input code ")


def test_f6_what_a_package_imports(project: Project) -> None:
    before = project.read(f"evaluations/{RUN}/results.csv")
    package = "fernn/evaluation/__init__.py"
    text = (project.folder / package).read_text()
    (project.folder / package).write_text(f"{text}\nimport fernn.evaluation.patch\n")
    (project.folder / "fernn/evaluation/patch.py").write_text(
        "import fernn.evaluation.prediction as prediction\n\n"
        "kept = prediction.measure_prediction\n"
        "prediction.measure_prediction = "
        "lambda model, frames, *more, **by: kept(model, lambda *at: 0.5 * frames(*at), *more, **by)\n"
    )
    must(evaluate(project))
    assert project.read(f"evaluations/{RUN}/results.csv") != before
    undo(project, package, text)
    (project.folder / "fernn/evaluation/patch.py").unlink()
    named(project, EVALUATION, "input code ")


def test_f7_words_that_a_table_prints(project: Project) -> None:
    before = project.read("tables/claims.md")
    file = "fernn/results/claims/judge.py"
    text = edit(project, file, "params.yaml has no run of", "the paper is wrong about")
    shutil.rmtree(project.folder / BASE / "tables")
    must(project.fernn("tables"))
    assert b"the paper is wrong about" in project.read("tables/claims.md")
    undo(project, file, text)
    named(project, BASE / "tables", "input code ")
    must(project.fernn("tables"))
    assert project.read("tables/claims.md") == before


def test_f8_settings_of_the_environment(project: Project) -> None:
    before = project.read(f"evaluations/{RUN}/results.csv")
    ended = evaluate(project, ONEDNN_DEFAULT_FPMATH_MODE="BF16")
    assert ended.returncode == 1
    assert "ONEDNN_DEFAULT_FPMATH_MODE=BF16 lowers the precision" in ended.stderr
    must(project.fernn("evaluate", RUN, ATEN_CPU_CAPABILITY="default"))
    said = project.fernn("verify", EVALUATION).stdout
    assert 'variables.ATEN_CPU_CAPABILITY "default" then, not there now' in said
    if platform.machine() == "x86_64":
        assert "determinism.instructions" in said
        assert "determinism.rounding" in said
    must(evaluate(project))
    assert project.read(f"evaluations/{RUN}/results.csv") == before
    assert "determinism" not in project.fernn("verify", EVALUATION).stdout


def test_f9_a_training_on_two_machines(project: Project) -> None:
    project.edit_params(lambda scale: scale["translation"]["training"].update(epochs=200))
    command = ["fernn", "train", RUN, "--scale", "micro"]
    training = project.start(*command, log=project.folder / "said", ATEN_CPU_CAPABILITY="default")
    checkpoint, patience = project.folder / BASE / "unfinished" / RUN / "checkpoint.safetensors", time.monotonic() + 120
    while not checkpoint.exists():
        assert training.poll() is None
        assert time.monotonic() < patience
        time.sleep(0.01)
    training.send_signal(signal.SIGTERM)
    assert training.wait() == 128 + signal.SIGTERM
    must(project.run(*command))
    record = json.loads(project.read(f"runs/{RUN}/record.json"))
    assert [each["variables"].get("ATEN_CPU_CAPABILITY") for each in record["others"]] == ["default"]
    assert "ATEN_CPU_CAPABILITY" not in record["environment"]["variables"]
    said = project.fernn("verify", BASE / "runs" / RUN).stdout
    assert 'variables.ATEN_CPU_CAPABILITY "default" then, not there now' in said
    assert "2 environments computed it" in said


def test_f10_the_record_of_another_result(project: Project) -> None:
    project.edit_params(lambda scale: scale["translation"].update(seeds=[0, 1]))
    must(project.fernn("train", f"{GRNN}/seed1"))
    folder = project.folder / BASE / "runs" / GRNN
    shutil.rmtree(folder / "seed0")
    shutil.copytree(folder / "seed1", folder / "seed0")
    named(project, BASE / "runs", f"outdated: train {RUN}", f"the record is of train {GRNN}/seed1")


def test_f11_results_behind_a_link(project: Project) -> None:
    runs = project.folder / BASE / "runs"
    elsewhere = runs.rename(project.folder / "elsewhere")
    runs.symlink_to(elsewhere)
    recorded(project, BASE)
    model = elsewhere / RUN / "model.safetensors"
    content = bytearray(model.read_bytes())
    content[-1] ^= 1
    model.write_bytes(content)
    named(project, BASE, f"{BASE}/runs/{RUN}/model.safetensors is not what was written")


def test_what_is_not_here_is_listed(project: Project) -> None:
    shutil.rmtree(project.folder / EVALUATION)
    ended = project.fernn("verify", BASE)
    assert ended.returncode == 0
    assert f"Not here (1): evaluate {RUN}\n" in ended.stdout


@pytest.mark.parametrize("name", ["fernn/evaluation/new.py", PREDICTION])
def test_f17_code_that_is_not_committed(clone: Project, name: str) -> None:
    with (clone.folder / name).open("a") as file:
        file.write("\nNEW = 1\n")
    script = "from fernn.provenance.environment import environment; print(environment()['commit']['changed'])"
    assert clone.run("python", "-c", script).stdout == f"[{name!r}]\n"
