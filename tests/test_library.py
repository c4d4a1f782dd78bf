"""The library by itself: installed into a fresh environment, it installs torch, NumPy and what models need, no more.

The sdist is built, and pip builds the wheel from it, so that both are tested.

pip resolves what pyproject.toml asks for, without a network: the environment holds torch, NumPy and safetensors with
what they ask for, as links to the installed ones (torch alone is up to several GB), and pip fails if anything else is
wanted.
"""

import os
import subprocess
import sys
import tarfile
import tomllib
import venv
from importlib.metadata import Distribution, distribution, distributions
from pathlib import Path
from shutil import copy, copytree, ignore_patterns

import pytest
from packaging.requirements import Requirement

from fernn import __version__
from fernn.errors import EXTRAS, FernnError, missing
from tests.docs.blocks import blocks

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
IMPORTED_AS = {"pillow": "PIL", "pyyaml": "yaml"}
ALONE = ["numpy", "safetensors", "torch"]
NOT_IMPORTED = {"fernn", "snakemake-executor-plugin-slurm"}  # other extras; what Snakemake finds by itself
ABSENT = ("PIL", "av", "dvc", "escnn", "matplotlib", "pydantic", "scipy", "snakemake", "typer", "yaml")


def test_each_package_of_an_extra_is_told_by_its_name() -> None:
    for extra, modules in EXTRAS.items():
        named = {Requirement(line).name for line in PROJECT["optional-dependencies"][extra]} - NOT_IMPORTED
        assert {IMPORTED_AS.get(name, name) for name in named} == {*modules}
    assert PROJECT["optional-dependencies"].keys() == {*EXTRAS, "dev", "docs"}


def test_a_module_of_no_extra_is_an_error_of_its_own() -> None:
    assert missing(ModuleNotFoundError("No module named 'nowhere'", name="nowhere")) is None
    assert isinstance(missing(ModuleNotFoundError("...", name="snakemake.io")), FernnError)


def needs(names: list[str]) -> dict[str, Distribution]:
    """These packages and all that they ask for here, as they are installed."""
    found: dict[str, Distribution] = {}
    while names:
        name = names.pop()
        if name not in found:
            found[name] = distribution(name)
            asked = map(Requirement, found[name].requires or ())
            names += [each.name for each in asked if each.marker is None or each.marker.evaluate({"extra": ""})]
    return found


class Library:
    """An environment with the library alone."""

    def __init__(self, folder: Path) -> None:
        venv.create(folder / "venv", with_pip=False)
        self.python = folder / "venv/bin/python"
        (packages,) = (folder / "venv/lib").glob("python*/site-packages")
        for dist in needs([*ALONE]).values():
            for top in {file.parts[0] for file in dist.files or () if file.parts[0] not in ("..", "__pycache__")}:
                if not (packages / top).exists():  # some share a folder
                    (packages / top).symlink_to(dist.locate_file(top))
        source = folder / "checkout"
        for name in ("fernn", "tests", "benchmarks", "workflow"):
            copytree(ROOT / name, source / name, ignore=ignore_patterns("__pycache__"))
        for name in ("pyproject.toml", "README.md", "LICENSE", "MANIFEST.in"):
            copy(ROOT / name, source)
        build = [sys.executable, "-c", "from setuptools import build_meta as b; b.build_sdist('dist')"]
        subprocess.run(build, cwd=source, check=True, capture_output=True)
        (self.sdist,) = (source / "dist").glob("*.tar.gz")
        self.packages = packages
        pip = [sys.executable, "-m", "pip", "--python", str(self.python), "--isolated", "install", "--no-index"]
        # --no-build-isolation: setuptools, which torch asks for, builds the package
        ended = subprocess.run([*pip, "--no-build-isolation", str(self.sdist)], capture_output=True, text=True)
        assert ended.returncode == 0, ended.stdout + ended.stderr

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run its Python, out of sight of this checkout; a warning is an error."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        return subprocess.run(
            [self.python, *arguments], cwd=self.python.parent, env=clean, capture_output=True, text=True
        )


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Library:
    return Library(tmp_path_factory.mktemp("library"))


@pytest.mark.slow
def test_the_models_need_nothing_else(library: Library) -> None:
    script = f"""
import importlib.util, sys
import fernn, fernn.models, fernn.flows, fernn.compat
fernn.models.pretrained("translation/FERNN-V2T")
print(fernn.__file__)
print([name for name in {ABSENT} if importlib.util.find_spec(name)], "escnn" in sys.modules)
"""
    ended = library.run("-W", "error", "-c", script)
    assert (ended.returncode, ended.stderr) == (0, "")
    where, found = ended.stdout.splitlines()
    assert Path(where).is_relative_to(library.python.parents[1])
    assert found == "[] False"


def test_the_package_offers_its_public_modules_alone() -> None:
    """`import fernn` is enough to use them, and imports none of them."""
    script = """
import sys, fernn
assert "fernn.models" not in sys.modules
print(*sorted({*dir(fernn)} - {"__doc__", "__version__"}), fernn.models.FERNNCell.__name__, fernn.flows.Translation(1))
fernn.nothing
"""
    clean = {**os.environ, "PYTHONPATH": str(ROOT)}
    ended = subprocess.run([sys.executable, "-c", script], env=clean, capture_output=True, text=True)
    assert ended.stdout == "compat data datasets errors flows models FERNNCell Translation(k=1)\n", ended.stderr
    assert "AttributeError: module 'fernn' has no attribute 'nothing'" in ended.stderr


@pytest.mark.slow
def test_the_sdist_and_the_wheel_hold_the_library_alone(library: Library) -> None:
    """With all of its data files; no tests, which would lack what they import."""
    found = {str(path.relative_to(ROOT)) for path in (ROOT / "fernn").rglob("*") if path.is_file()}
    expected = {name for name in found if "__pycache__" not in name}
    assert "fernn/py.typed" in expected
    with tarfile.open(library.sdist) as file:
        names = {member.name.partition("/")[2] for member in file.getmembers() if member.isfile()}
    others = {name for name in names if not name.startswith(("fernn/", "fernn.egg-info/"))}
    assert others == {"LICENSE", "MANIFEST.in", "PKG-INFO", "README.md", "pyproject.toml", "setup.cfg"}
    (wheel,) = distributions(path=[str(library.packages)], name="fernn")
    installed = {path.as_posix() for path in wheel.files or ()}
    for held in (names, installed):
        assert {name for name in held if name.startswith("fernn/") and "__pycache__" not in name} == expected
    assert {name.split("/")[0] for name in installed} == {"..", "fernn", f"fernn-{__version__}.dist-info"}


@pytest.mark.slow
def test_type_checkers_see_the_types(library: Library, tmp_path: Path) -> None:
    """What is right passes the strict check, and mistakes are found."""
    right, wrong = tmp_path / "right.py", tmp_path / "wrong.py"
    right.write_text(
        "import torch\n"
        "from fernn.flows import Translation\n"
        "from fernn.models import FERNNPredictor, RotationPredictor\n"
        "model = FERNNPredictor(Translation(2), hidden_channels=16)\n"
        "_, h = model(torch.rand(1, 6, 1, 28, 28), steps=4, return_states=True)\n"
        "speed: tuple[int, int] = model.with_flow('V1T').cell.flow.generators[0]\n"
        "order: int = RotationPredictor('V2R').cell.order\n"
    )
    wrong.write_text(
        "from fernn.flows import Translation\n"
        "from fernn.models import CNN3D, FERNNPredictor, RotationCell\n"
        "FERNNPredictor(hidden_channels=16)\n"
        "CNN3D('16')\n"
        "RotationCell('V2R').order.nothing\n"
        "velocity: str = Translation(2).generators[0]\n"
    )
    check = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "--python-executable", library.python]
    ended = subprocess.run([*check, right, wrong], cwd=tmp_path, capture_output=True, text=True)
    assert ended.stderr == ""
    places = [line.split(": ")[0] for line in ended.stdout.splitlines() if ": error: " in line]
    assert places == [f"wrong.py:{line}" for line in range(3, 7)], ended.stdout


@pytest.mark.slow
def test_the_paper_in_one_page_needs_the_library_alone(library: Library) -> None:
    code = [block.text for block in blocks(ROOT / "docs/paper.md") if block.language == "python"]
    without_rotations = [text for text in code if "RotationPredictor" not in text]
    assert len(without_rotations) == len(code) - 1
    ended = library.run("-W", "error", "-c", "\n".join(without_rotations))
    assert ended.returncode == 0, ended.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "module", "extra"),
    [
        (["-m", "fernn.cli", "--help"], "typer", "stages"),
        (["-c", "from fernn.models import RotationPredictor; RotationPredictor('V2R')"], "escnn", "rotation"),
    ],
)
def test_what_is_missing_is_one_message_that_names_its_extra(library: Library, arguments, module, extra) -> None:
    ended = library.run(*arguments)
    assert ended.returncode == 1
    last = ended.stderr.splitlines()[-1]
    assert module in last
    assert f"extra {extra}" in last
    assert f"pip install '.[{extra}]'" in last


@pytest.mark.parametrize(
    ("module", "extra", "arguments"),
    [
        ("av", "kth", ["standins", "--scale", "quick"]),
        ("PIL", "figures", ["figures", "--scale", "quick"]),
        ("rich", "stages", ["plan", "--scale", "quick"]),
    ],
)
def test_a_command_without_its_extra(module: str, extra: str, arguments: list[str], tmp_path: Path) -> None:
    """As if it were not installed: a real command, with that one import made to fail."""
    script = f"import sys; sys.modules[{module!r}] = None; from fernn.cli import main; main()"
    params = ["--params", str(ROOT / "params.yaml")]
    clean = {**os.environ, "PYTHONPATH": str(ROOT)}
    ended = subprocess.run(
        [sys.executable, "-c", script, *arguments, *params], cwd=tmp_path, env=clean, capture_output=True, text=True
    )
    assert ended.returncode == 1
    assert ended.stderr.startswith(f"fernn: this needs the package {module}, "), ended.stderr
    assert f"it comes with the extra {extra}." in ended.stderr
    assert ended.stderr.count("\n") == 1
