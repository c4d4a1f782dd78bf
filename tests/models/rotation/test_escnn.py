"""escnn is imported with lie-learn and without, and from a read-only folder."""

import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

TURNS = """
import sys, torch
from fernn.models.rotation import escnn
from fernn.models.rotation.basis import r2conv
print(r2conv(4, 1, 2, 3, lifting=True)(
    escnn.load().nn.GeometricTensor(torch.ones(1, 1, 5, 5), r2conv(4, 1, 2, 3, lifting=True).in_type)).shape)
"""
SPACE = """
from escnn.group import so3_group
group = so3_group(1)
group.irrep(1)(group.sample())
"""


def run(code: str, *folders: Path) -> subprocess.CompletedProcess:
    path = os.pathsep.join(map(str, [*folders, *filter(None, [os.environ.get("PYTHONPATH")])]))
    command = [sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": path}, check=False)


def package(folder: Path, body: str) -> Path:
    """A package lie_learn whose one module of interest holds `body`."""
    inner = folder / "lie_learn/representations/SO3"
    inner.mkdir(parents=True)
    for part in (inner, *inner.parents[:2]):
        (part / "__init__.py").write_text("")
    (inner / "wigner_d.py").write_text(body)
    return folder


@pytest.mark.parametrize("body", ["raise ImportError('not here')", "raise ValueError('numpy.dtype size changed')"])
def test_without_lie_learn_all_but_rotations_in_space(tmp_path: Path, body: str) -> None:
    folder = package(tmp_path, body)
    done = run(TURNS + SPACE, folder)
    assert done.stdout == "torch.Size([1, 8, 5, 5])\n"
    said = done.stderr.splitlines()[-1]
    assert said.startswith("fernn.errors.FernnError: rotations in space")
    assert "need the package lie-learn, which cannot be imported here" in said
    assert body.split("'")[1] in said
    # the stand-in answers escnn alone
    done = run(
        TURNS + "print([name for name in sys.modules if 'lie_learn' in name]); import lie_learn.representations.SO3"
    )
    assert (done.stdout.splitlines()[1], done.stderr.splitlines()[-1].split(":")[0]) == ("[]", "ModuleNotFoundError")


def test_lie_learn_is_used_where_it_is(tmp_path: Path) -> None:
    folder = package(tmp_path, "def wigner_D_matrix(*given, **named): raise SystemExit('the real one')")
    done = run(TURNS + SPACE, folder)
    assert (done.stdout, done.stderr) == ("torch.Size([1, 8, 5, 5])\n", "the real one\n")


def test_a_folder_that_nobody_may_write_to(tmp_path: Path) -> None:
    found = find_spec("escnn")
    assert found and found.origin
    copy = shutil.copytree(
        Path(found.origin).parent, tmp_path / "escnn", ignore=shutil.ignore_patterns("_cache", "__pycache__")
    )
    # root may write everywhere: a copy that says otherwise stands for a read-only file system
    deny = f"import os; real = os.access; os.access = lambda path, mode: not str(path).startswith({str(copy)!r})\n"
    done = run(deny + TURNS + "import escnn; print(escnn.__file__)", tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[1] == str(copy / "__init__.py")
    assert not (copy / "group/_cache").exists()
